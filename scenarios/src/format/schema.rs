//! What may be written, for editors (JSON Schema) and for people (listings).

use seedbed_core::settings::{Choice, Field, Fields, Shape, Tagged, Value, Variant};
use serde_json::{Map, Value as Json, json};

use super::tree;

/// A JSON Schema (draft 2020-12) of a document of this shape.
#[must_use]
pub fn json_schema(title: &str, shape: &Shape) -> Json {
    let mut schema = schema(shape);
    if let Json::Object(members) = &mut schema {
        members.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
        members.insert("title".into(), title.into());
    }
    schema
}

fn schema(shape: &Shape) -> Json {
    match shape {
        Shape::Bool => json!({ "type": "boolean" }),
        Shape::Integer { min, max } => {
            let (min, max) = ((*min != i64::MIN).then_some(*min), (*max != i64::MAX).then_some(*max));
            bounded("integer", min.map(Into::into), max.map(Into::into))
        }
        Shape::Number { min, max } => {
            let (min, max) = ((*min != f64::MIN).then_some(*min), (*max != f64::MAX).then_some(*max));
            bounded("number", min.map(Into::into), max.map(Into::into))
        }
        Shape::Duration { .. } => quantity("ns|us|\u{b5}s|ms|s|min|h|d", shape),
        Shape::Bytes { .. } => {
            let text = quantity("B|kB|MB|GB|TB|PB|KiB|MiB|GiB|TiB|PiB", shape);
            json!({ "anyOf": [text, { "type": "integer", "minimum": 0 }] })
        }
        Shape::Rate { .. } => quantity("[kMGT]?bit/s|[kMG]?B/s|[KMG]iB/s", shape),
        Shape::Text { form, min_len, max_len } => {
            let mut text = json!({ "type": "string", "maxLength": max_len, "description": form });
            if *min_len > 0 {
                text["minLength"] = 1.into();
            }
            text
        }
        Shape::Choice(choices) => {
            let choice = |choice: &Choice| described(json!({ "const": choice.name }), &choice.about);
            json!({ "oneOf": choices.iter().map(choice).collect::<Vec<_>>() })
        }
        Shape::List { of, min_len, max_len } => {
            json!({ "type": "array", "items": schema(of), "minItems": min_len, "maxItems": max_len })
        }
        Shape::Table(fields) => {
            let mut table = table(fields);
            table["type"] = "object".into();
            let closed =
                if fields.tagged.is_empty() { "additionalProperties" } else { "unevaluatedProperties" };
            table[closed] = false.into();
            table
        }
        Shape::Map(of) => json!({ "type": "object", "additionalProperties": schema(of) }),
        Shape::Either(shapes) => json!({ "anyOf": shapes.iter().map(schema).collect::<Vec<_>>() }),
        Shape::Any => json!({}),
    }
}

fn bounded(kind: &str, min: Option<Json>, max: Option<Json>) -> Json {
    let mut members = Map::from_iter([("type".into(), kind.into())]);
    members.extend(min.map(|min| ("minimum".into(), min)));
    members.extend(max.map(|max| ("maximum".into(), max)));
    members.into()
}

/// A number with one of the units, as text. Bounds are beyond a pattern; the description says them.
fn quantity(units: &str, shape: &Shape) -> Json {
    let pattern = format!("^\\s*[0-9]+(\\.[0-9]+)?\\s*({units})\\s*$");
    json!({ "type": "string", "pattern": pattern, "description": shape.to_string() })
}

fn described(mut schema: Json, about: &str) -> Json {
    if !about.is_empty() {
        schema["description"] = about.into();
    }
    schema
}

/// The keys of a table that others may share: not closed, and without its type.
fn table(fields: &Fields) -> Json {
    let properties: Map<_, _> =
        fields.plain.iter().map(|field| (field.name.clone(), property(field))).collect();
    let required = fields.plain.iter().filter(|field| field.required).map(|field| field.name.as_str());
    let mut table = json!({ "properties": properties, "required": required.collect::<Vec<_>>() });
    if !fields.tagged.is_empty() {
        table["allOf"] = fields.tagged.iter().map(variants).collect();
    }
    table
}

fn property(field: &Field) -> Json {
    let mut property = described(schema(&field.shape), &field.about);
    // A default is TOML that was made from a value, so that it can be read again.
    let default = field.default.as_ref().and_then(|default| tree::value(default, 0, 0).ok());
    if let Some(default) = default {
        property["default"] = to_json(&default.value);
    }
    property
}

fn variants(tagged: &Tagged) -> Json {
    let variant = |variant: &Variant| {
        let mut schema = described(table(&variant.fields), &variant.about);
        schema["properties"][&tagged.tag] = json!({ "const": variant.name });
        if let Json::Array(required) = &mut schema["required"] {
            required.insert(0, tagged.tag.as_str().into());
        }
        schema
    };
    json!({ "oneOf": tagged.variants.iter().map(variant).collect::<Vec<_>>() })
}

fn to_json(value: &Value) -> Json {
    match value {
        Value::Bool(value) => (*value).into(),
        Value::Integer(value) => (*value).into(),
        Value::Number(value) => (*value).into(),
        Value::Text(text) => text.as_str().into(),
        Value::List(nodes) => nodes.iter().map(|node| to_json(&node.value)).collect(),
        Value::Table(table) => {
            let members = table.entries().iter().map(|entry| (entry.key.clone(), to_json(&entry.node.value)));
            Json::Object(members.collect())
        }
    }
}

/// One line per key: name, type, default, what it means; the keys of a tag's values below it.
#[must_use]
pub fn listing(fields: &Fields) -> String {
    let mut rows = Vec::new();
    collect(fields, 0, &mut rows);
    // One very long cell does not push all the others to the right.
    const WIDTH_MAX: usize = 36;
    let lengths = |column: usize| rows.iter().map(move |row| row[column].chars().count());
    let width = |column: usize| lengths(column).filter(|&len| len <= WIDTH_MAX).max().unwrap_or(0);
    let (name, kind, default) = (width(0), width(1), width(2));
    let line = |row: &[String; 4]| {
        let line = format!("{:name$}  {:kind$}  {:default$}  {}", row[0], row[1], row[2], row[3]);
        format!("{}\n", line.trim_end())
    };
    rows.iter().map(line).collect()
}

fn collect(fields: &Fields, depth: usize, rows: &mut Vec<[String; 4]>) {
    let indented = |name: &str| format!("{}{name}", "  ".repeat(depth));
    for field in &fields.plain {
        let default = match (&field.default, field.required) {
            (Some(default), _) => default.clone(),
            (None, true) => "required".into(),
            (None, false) => "-".into(),
        };
        rows.push([indented(&field.name), field.shape.kind(), default, field.about.clone()]);
    }
    for Tagged { tag, variants } in &fields.tagged {
        for variant in variants {
            let name = indented(&format!("{tag} = {}", Value::Text(variant.name.clone())));
            rows.push([name, String::new(), String::new(), variant.about.clone()]);
            collect(&variant.fields, depth + 1, rows);
        }
    }
}

#[cfg(test)]
mod tests {
    use seedbed_core::contract::Duration;
    use seedbed_core::settings::{Setting, Settings};
    use seedbed_core::{choice, settings, variants};

    use super::*;

    choice! {
        /// Who may vote.
        enum Voters {
            /// Everybody.
            All,
            /// Those with a disk.
            WithDisk,
        }
    }

    variants! {
        /// How long something takes.
        enum Law by "law" or Duration as Law::constant {
            /// Always the same.
            Constant {
                /// That long.
                value: Duration;
            }
            /// Not at all.
            Instant {}
        }
    }

    impl Law {
        fn constant(value: Duration) -> Self {
            Self::Constant { value }
        }
    }

    settings! {
        /// Parameters.
        struct Parameters {
            /// How many.
            nodes: u32, in 1..=9;
            /// Who may vote.
            voters: Voters = Voters::All;
            /// Thinking time.
            think: Vec<Law> = vec![Law::Instant {}];
            /// What is done.
            work: Law, flat;
        }
    }

    #[test]
    fn a_schema_says_what_the_settings_say() {
        let duration = json!({
            "type": "string",
            "pattern": "^\\s*[0-9]+(\\.[0-9]+)?\\s*(ns|us|\u{b5}s|ms|s|min|h|d)\\s*$",
            "description": "a duration such as \"150ms\"",
        });
        let mut value = duration.clone();
        value["description"] = "That long.".into();
        let variants = json!([{ "oneOf": [
            {
                "description": "Always the same.",
                "properties": { "law": { "const": "constant" }, "value": value },
                "required": ["law", "value"],
            },
            { "description": "Not at all.", "properties": { "law": { "const": "instant" } }, "required": ["law"] },
        ] }]);
        let law = json!({
            "type": "object", "properties": {}, "required": [], "allOf": variants, "unevaluatedProperties": false,
        });
        let expected = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "parameters",
            "type": "object",
            "properties": {
                "nodes": { "type": "integer", "minimum": 1, "maximum": 9, "description": "How many." },
                "voters": {
                    "oneOf": [
                        { "const": "all", "description": "Everybody." },
                        { "const": "with-disk", "description": "Those with a disk." },
                    ],
                    "description": "Who may vote.",
                    "default": "all",
                },
                "think": {
                    "type": "array",
                    "items": { "anyOf": [duration, law] },
                    "minItems": 0,
                    "maxItems": 100_000,
                    "description": "Thinking time.",
                    "default": [{ "law": "instant" }],
                },
            },
            "required": ["nodes"],
            "allOf": variants,
            "unevaluatedProperties": false,
        });
        assert_eq!(json_schema("parameters", &Parameters::shape()), expected);
    }

    #[test]
    fn a_listing_is_aligned() {
        assert_eq!(
            listing(&Parameters::fields()),
            "\
nodes             integer 1..=9              required               How many.
voters            all | with-disk            \"all\"                  Who may vote.
think             list of duration or table  [{ law = \"instant\" }]  Thinking time.
law = \"constant\"                                                    Always the same.
  value           duration                   required               That long.
law = \"instant\"                                                     Not at all.
"
        );
    }
}
