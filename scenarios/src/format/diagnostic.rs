//! Problems shown as compilers show them: the line, a caret, what was expected, what may have been meant.

use std::fmt;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use seedbed_core::settings::{Problem, Problems};

use super::Source;

/// Everything that is wrong with a document. `Display` prints it without colour.
#[derive(Clone, Debug)]
pub struct Report {
    problems: Problems,
    sources: Vec<Source>,
}

impl Report {
    pub(super) fn new(problems: Problems, sources: Vec<Source>) -> Self {
        Self { problems, sources }
    }

    /// What is wrong, in the order of finding.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        self.problems.list()
    }

    /// Says at which point of a sweep this was found, where that matters: not of what is found `elsewhere` as well.
    #[must_use]
    pub fn at_point(mut self, labels: &[(String, String)], elsewhere: Option<&Self>) -> Self {
        let at: Vec<String> = labels.iter().map(|(axis, label)| format!("{axis} = {label}")).collect();
        let is_common = |problem: &Problem| elsewhere.is_some_and(|other| other.problems().contains(problem));
        for problem in self.problems.list_mut() {
            if problem.help.is_none() && !at.is_empty() && !is_common(problem) {
                problem.help = Some(format!("found at {}", at.join(", ")));
            }
        }
        self
    }

    /// As text for a terminal, ending with a newline.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let mut text = String::new();
        for problem in self.problems.list() {
            text += &renderer.render(&[self.group(problem)]);
            text += "\n\n";
        }
        match self.problems.omitted() {
            0 => text.truncate(text.trim_end().len() + 1),
            omitted => text += &format!("and {omitted} more\n"),
        }
        text
    }

    fn group<'a>(&'a self, problem: &'a Problem) -> Group<'a> {
        let group = Group::with_title(Level::ERROR.primary_title(&problem.message));
        let label = (!problem.label().is_empty()).then(|| problem.label());
        let group = match self.sources.get(usize::from(problem.span.source)) {
            None => group.elements(label.map(|label| Level::NOTE.message(label))),
            // A file that was not read has a name only.
            Some(source) if source.text.is_empty() => {
                let note = label.map(|label| Level::NOTE.message(label));
                group.element(Origin::path(&*source.name)).elements(note)
            }
            Some(source) => group.element(snippet(problem, source, label)),
        };
        group.elements(problem.help.as_ref().map(|help| Level::HELP.message(help)))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Report {}

/// The first line that the problem spans, whatever the spans say; the renderer cuts what is too long.
fn snippet<'a>(problem: &Problem, source: &'a Source, label: Option<String>) -> Snippet<'a, Annotation<'a>> {
    let text = &*source.text;
    let start = text.floor_char_boundary(problem.span.start as usize);
    let end = text.floor_char_boundary((problem.span.end as usize).max(start));
    let begin = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    let stop = text[begin..].find('\n').map_or(text.len(), |newline| begin + newline);
    let line = text[begin..stop].trim_end_matches('\r');
    let marked = (start - begin).min(line.len())..(end - begin).min(line.len());
    let number = text[..begin].matches('\n').count() + 1;
    let annotation = AnnotationKind::Primary.span(marked).label(label);
    Snippet::source(line).path(&*source.name).line_start(number).annotation(annotation)
}
