//! JSON as Python's `json.dump` writes it, made strict.

use std::borrow::Cow;

/// Numbers that JSON does not have.
const NUMBERS: [&str; 3] = ["NaN", "Infinity", "-Infinity"];

/// Turns Python's numbers that JSON does not have into texts, and takes off a byte-order mark.
///
/// `NaN`, `Infinity` and `-Infinity` outside of texts become `"NaN"`, `"Infinity"` and `"-Infinity"`: a
/// reader that wants a number there refuses them, and one that passes over the key passes over them.
///
/// ```
/// use dsno_checkpoint::python_json::strict;
///
/// assert_eq!(strict("\u{feff}{\"lambda\": -Infinity}"), r#"{"lambda": "-Infinity"}"#);
/// assert_eq!(strict(r#"{"NaN": "to Infinity"}"#), r#"{"NaN": "to Infinity"}"#);
/// ```
pub fn strict(text: &str) -> Cow<'_, str> {
    let text = text.trim_start_matches('\u{feff}');
    if !text.contains("NaN") && !text.contains("Infinity") {
        return Cow::Borrowed(text);
    }
    let (mut strict, mut rest) = (String::with_capacity(text.len() + 16), text);
    while let Some(first) = rest.chars().next() {
        if let Some(number) = NUMBERS.into_iter().find(|n| rest.starts_with(n)) {
            strict.extend(["\"", number, "\""]);
            rest = &rest[number.len()..];
            continue;
        }
        let length = if first == '"' {
            text_length(rest)
        } else {
            first.len_utf8()
        };
        let (read, left) = rest.split_at(length);
        strict.push_str(read);
        rest = left;
    }
    Cow::Owned(strict)
}

/// Bytes of the text in quotes that `rest` begins with; all of it if the text does not end.
fn text_length(rest: &str) -> usize {
    let mut escaped = false;
    for (place, byte) in rest.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return place + 1,
            _ => {}
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_are_changed() {
        for same in [
            r#"{"a": "NaN \" Infinity", "b": 1e5}"#,
            r#"{"a\\": "é NaN"}"#,
            "",
            "\"NaN",
        ] {
            assert_eq!(strict(same), same);
        }
        let found = strict(r#"[NaN,Infinity , -Infinity,"x",{"NaN":NaN}]"#);
        let expected = r#"["NaN","Infinity" , "-Infinity","x",{"NaN":"NaN"}]"#;
        assert_eq!(found, expected);
    }
}
