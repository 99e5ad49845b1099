//! Values laid over a document: `--set key=value`, and what a sweep sets at one of its points.

use seedbed_core::settings::{Entry, Node, Problem, Problems, Setting, Shape, Span, Spanned, Table, Value};

use super::{Document, Report, Source, tree};

/// A dotted key, each part with its place: `fault.0.every`, `fault.leader-crash.every`, `law."p 95"`.
type Parts<'a> = Vec<(&'a str, Span)>;

/// Keys with dots, and what each is set to, in order: a case of a sweep, or what holds in quick runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Assignments(pub Vec<(Spanned<String>, Node)>);

impl Document {
    /// The document with some keys set to values, all with their spans already: at a point of its sweep, say.
    ///
    /// # Errors
    /// If one of the keys leads nowhere; the report points at it.
    pub fn with(&self, sets: &[(Spanned<String>, Node)]) -> Result<Self, Report> {
        let mut document = self.clone();
        for (key, node) in sets {
            document.set_node(key, node.clone())?;
        }
        Ok(document)
    }

    /// Sets one key by an argument, `key=value`.
    ///
    /// Parts of the key are names, or indices and the elements' `name` within a list; tables that are missing
    /// are made. The value is TOML, or a text without quotes if it is not: `protocol=raft`.
    ///
    /// # Errors
    /// If the key leads nowhere; the report points into the argument.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), Report> {
        let node = self.argument(key, value)?;
        let span = Span { start: 0, end: key.len() as u32, ..node.span };
        let set = parts(key, span).and_then(|parts| place(&mut self.root, &parts, node));
        set.map_err(|problem| self.report(problem.into()))
    }

    /// Reads the value of an argument, `key=value`, and sets nothing.
    ///
    /// # Errors
    /// If the value looks like TOML and is not.
    pub fn argument(&mut self, key: &str, value: &str) -> Result<Node, Report> {
        let argument = format!("{key}={value}");
        let source = u16::try_from(self.sources.len()).unwrap_or(u16::MAX);
        self.sources.push(Source::new("--set", &argument));
        let span = Span { source, start: (key.len() + 1) as u32, end: argument.len() as u32 };
        loose(value, span).map_err(|problems| self.report(problems))
    }

    /// Takes a top-level key out.
    pub fn remove(&mut self, key: &str) {
        if let Value::Table(table) = &mut self.root.value {
            table.remove(key);
        }
    }

    /// Sets one key to a value; both have their spans already.
    ///
    /// # Errors
    /// If the key leads nowhere; the report points at it.
    pub fn set_node(&mut self, key: &Spanned<String>, node: Node) -> Result<(), Report> {
        let whole = key.span;
        let set = parts(key, whole).and_then(|parts| {
            let parts: Parts<'_> = parts.into_iter().map(|(part, _)| (part, whole)).collect();
            place(&mut self.root, &parts, node)
        });
        set.map_err(|problem| self.report(problem.into()))
    }
}

impl Setting for Assignments {
    fn shape() -> Shape {
        Shape::Map(Box::new(Shape::Any))
    }
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let Some(table) = node.table() else {
            problems.push(Problem::wrong_type(node, &Self::shape()));
            return None;
        };
        let mut assignments = Self::default();
        assignments.collect("", table);
        Some(assignments)
    }
    fn write(&self) -> Option<Value> {
        let mut table = Table::default();
        self.0.iter().for_each(|(key, node)| table.insert(key, key.span, node.clone()));
        Some(Value::Table(table))
    }
}

impl Assignments {
    /// `a.b = 1` and `[a]`, `b = 1` arrive as tables within tables, but set `a.b` and leave the rest of `a` alone;
    /// `a = { b = 1 }` sets the whole of `a`. Only the spans tell: a table in braces stands after its name.
    fn collect(&mut self, prefix: &str, table: &Table) {
        for Entry { key, span, node } in table.entries() {
            let key = format!("{prefix}{key}");
            match node.table() {
                Some(inner) if node.span.start <= span.start => self.collect(&format!("{key}."), inner),
                _ => self.0.push((Spanned { span: *span, value: key }, node.clone())),
            }
        }
    }
}

/// An argument's value: TOML if it is that, or else a text.
fn loose(text: &str, span: Span) -> Result<Node, Problems> {
    let meant_as_toml = text.trim_start().starts_with(['[', '{', '"', '\'']);
    match tree::value(text, span.source, span.start) {
        Err(_) if !meant_as_toml => Ok(Node { span, value: Value::Text(text.trim().into()) }),
        read => read,
    }
}

/// Whether a text needs no quotes to be read as itself.
pub(super) fn is_read_as_text(text: &str) -> bool {
    let read = loose(text, Span::default());
    read.is_ok_and(|node| matches!(node.value, Value::Text(read) if read == text))
}

fn parts(key: &str, whole: Span) -> Result<Parts<'_>, Problem> {
    let wrong = |message: &str| Err(Problem::new(whole, message).expected("names joined by dots"));
    let (mut parts, mut at) = (Vec::new(), 0);
    loop {
        let rest = &key[at..];
        let (skip, len) = match rest.strip_prefix('"') {
            Some(quoted) => match quoted.find('"') {
                Some(len) => (1, len),
                None => return wrong("a quote in the key is not closed"),
            },
            None => (0, rest.find('.').unwrap_or(rest.len())),
        };
        if len == 0 {
            return wrong("a part of the key is empty");
        }
        let start = at + skip;
        let span =
            Span { start: whole.start + start as u32, end: whole.start + (start + len) as u32, ..whole };
        parts.push((&key[start..start + len], span));
        at = start + len + skip;
        match key[at..].chars().next() {
            None if parts.len() <= tree::DEPTH_MAX => return Ok(parts),
            None => return wrong("the key has too many parts"),
            Some('.') => at += 1,
            Some(_) => return wrong("a quote in the key is not followed by a dot"),
        }
    }
}

/// Puts `value` where the parts of the key lead to from `node`.
fn place(node: &mut Node, parts: &[(&str, Span)], value: Node) -> Result<(), Problem> {
    let Some(((name, span), rest)) = parts.split_first() else {
        *node = value;
        return Ok(());
    };
    let found = node.value.describe();
    match &mut node.value {
        Value::Table(table) => match table.find_mut(name) {
            Some(inner) => place(inner, rest, value),
            None => {
                let mut inner = Node { span: *span, value: Value::Table(Table::default()) };
                place(&mut inner, rest, value)?;
                table.insert(name, *span, inner);
                Ok(())
            }
        },
        Value::List(nodes) => match element(nodes, name) {
            Some(inner) => place(inner, rest, value),
            None => Err(no_element(nodes, name, *span)),
        },
        _ => {
            let problem = Problem::new(*span, format!("`{name}` cannot be set in {found}"));
            Err(problem.expected("a table or a list to hold it"))
        }
    }
}

/// An element by its index, or by its `name`.
fn element<'a>(nodes: &'a mut [Node], name: &str) -> Option<&'a mut Node> {
    let at = match name.parse::<usize>() {
        Ok(index) => index,
        Err(_) => nodes.iter().position(|node| name_of(node) == Some(name))?,
    };
    nodes.get_mut(at)
}

fn no_element(nodes: &[Node], name: &str, span: Span) -> Problem {
    let names: Vec<_> = nodes.iter().filter_map(name_of).collect();
    let unknown = Problem::unknown(span, "element", name, names.iter().copied());
    match names.is_empty() {
        false => unknown,
        true if nodes.is_empty() => unknown.expected("nothing: the list is empty"),
        true => unknown.expected(format!("an index from 0 to {}", nodes.len() - 1)),
    }
}

fn name_of(node: &Node) -> Option<&str> {
    node.table()?.find("name")?.text()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "protocol = \"raft\"\n[params]\ntimeout = \"150ms\"\n\
                        [[fault]]\nname = \"leader-crash\"\nevery = \"5s\"\n[[fault]]\nevery = \"7s\"\n";

    fn document() -> Document {
        Document::parse("file.toml", FILE).expect("it is TOML")
    }

    fn after(key: &str, value: &str) -> String {
        let mut document = document();
        document.set(key, value).expect("it can be set");
        document.root().value.to_string()
    }

    #[test]
    fn a_key_is_set_wherever_it_leads() {
        let rest = "fault = [{ name = \"leader-crash\", every = \"5s\" }, { every = \"7s\" }] }";
        let params = "params = { timeout = \"150ms\" }";
        assert_eq!(after("protocol", "bully"), format!("{{ protocol = \"bully\", {params}, {rest}"));
        assert_eq!(
            after("params.timeout", "2s"),
            format!("{{ protocol = \"raft\", params = {{ timeout = \"2s\" }}, {rest}")
        );
        assert_eq!(
            after("params.a.\"b.c\"", "[1, { x = 1.5 }]"),
            format!(
                "{{ protocol = \"raft\", params = {{ timeout = \"150ms\", a = {{ \"b.c\" = [1, {{ x = 1.5 }}] }} }}, {rest}"
            )
        );
        for key in ["fault.0.every", "fault.leader-crash.every"] {
            assert!(after(key, "1e3").contains("{ name = \"leader-crash\", every = 1000.0 }"), "{key}");
        }
        assert!(after("fault.1", "{}").ends_with("every = \"5s\" }, {}] }"));
        assert!(after("quick", "true").ends_with("quick = true }"));
        assert!(after("note", "").ends_with("note = \"\" }"));
    }

    #[test]
    fn a_table_in_braces_is_set_whole_and_any_other_key_by_key() {
        let text = "[quick]\na.b = 1\nc = { d = 2 }\nfault.leader-crash.every = \"1s\"\n[quick.e]\nf = 3\n";
        let document = Document::parse("file.toml", text).expect("it is TOML");
        let quick = document.root().table().and_then(|root| root.find("quick")).expect("it is there");
        let sets: Assignments = seedbed_core::settings::read(quick).expect("they are assignments");
        let written: Vec<_> =
            sets.0.iter().map(|(key, node)| format!("{} = {}", key.value, node.value)).collect();
        assert_eq!(written, ["a.b = 1", "c = { d = 2 }", "fault.leader-crash.every = \"1s\"", "e.f = 3"]);
        assert!(
            self::document()
                .with(&sets.0)
                .expect("they lead somewhere")
                .root()
                .value
                .to_string()
                .contains("\"1s\"")
        );
    }

    #[test]
    fn a_key_that_leads_nowhere_is_shown_in_the_argument() {
        let mut document = document();
        let shown = document.set("fault.leader-crush.every", "5s").unwrap_err().to_string();
        assert_eq!(
            shown,
            "\
error: unknown element `leader-crush`
 --> --set:1:7
  |
1 | fault.leader-crush.every=5s
  |       ^^^^^^^^^^^^ expected `leader-crash`; did you mean `leader-crash`?
"
        );
        let cases = [
            ("fault.2.every", "5s", "unknown element `2`", "^"),
            ("protocol.x", "5s", "`x` cannot be set in text \"raft\"", "expected a table or a list"),
            ("a..b", "1", "a part of the key is empty", "^^^^ expected names joined by dots"),
            ("", "1", "a part of the key is empty", "expected names joined by dots"),
            ("a.\"b", "1", "a quote in the key is not closed", "^^^^ "),
            ("a.\"b\"c", "1", "a quote in the key is not followed by a dot", "^^^^^^ "),
            ("params.x", "[1", "unclosed array", "          ^ expected `]`"),
            ("params.x", "{ a = 07:32:00 }", "found a date or time of day", "               ^^^^^^^^"),
            (&"a.".repeat(40), "1", "a part of the key is empty", "^"),
            (&["a"; 40].join("."), "1", "the key has too many parts", "^"),
        ];
        for (key, value, message, label) in cases {
            let shown = document.set(key, value).expect_err(key).to_string();
            assert!(shown.contains(message) && shown.contains(label), "{key}={value}\n{shown}");
        }
        assert_eq!(document.root(), self::document().root());
    }
}
