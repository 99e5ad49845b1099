//! Names as a person writes them, made of Rust's at compile time.

/// The number of bytes of `camel` in kebab-case.
#[must_use]
pub const fn kebab_len(camel: &str) -> usize {
    let bytes = camel.as_bytes();
    let (mut at, mut len) = (0, 0);
    while at < bytes.len() {
        len += if at > 0 && bytes[at].is_ascii_uppercase() { 2 } else { 1 };
        at += 1;
    }
    len
}

/// `LeaderCrash` as `leader-crash`.
#[must_use]
pub const fn kebab<const LEN: usize>(camel: &str) -> [u8; LEN] {
    let bytes = camel.as_bytes();
    let mut kebab = [0; LEN];
    let (mut at, mut len) = (0, 0);
    while at < bytes.len() {
        if at > 0 && bytes[at].is_ascii_uppercase() {
            kebab[len] = b'-';
            len += 1;
        }
        kebab[len] = bytes[at].to_ascii_lowercase();
        len += 1;
        at += 1;
    }
    kebab
}

/// A field's name without the mark of a raw identifier.
#[must_use]
pub const fn plain(field: &'static str) -> &'static str {
    match field.as_bytes() {
        [b'r', b'#', ..] => field.split_at(2).1,
        _ => field,
    }
}

/// The first paragraph of a doc comment, on one line.
#[must_use]
pub fn about(lines: &[&str]) -> String {
    let paragraph = lines.iter().map(|line| line.trim()).skip_while(|line| line.is_empty());
    paragraph.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_kebab_case() {
        const LEN: usize = kebab_len("LeaderCrash");
        assert_eq!(&kebab::<LEN>("LeaderCrash"), b"leader-crash");
        assert_eq!(plain("r#type"), "type");
        assert_eq!(plain("rate"), "rate");
    }

    #[test]
    fn the_first_paragraph_says_what_it_is() {
        assert_eq!(about(&[" Lower end", " of it.", "", " More."]), "Lower end of it.");
        assert_eq!(about(&[]), "");
    }
}
