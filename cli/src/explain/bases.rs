//! Two signature bases side by side, with the first difference marked.

use writegate::Head;
use writegate::Refusal;
use writegate::credential::signature::{Labels, Signature};

use super::request_input::RequestInput;

/// Widest left column; a longer line is cut, and the difference printed below in full.
const WIDTH: usize = 60;
const REDACTED: &str = "[redacted]";

/// Returns the signature of a request, of any signer.
pub(crate) fn signature(head: &Head<'_>) -> Result<Signature, Refusal> {
    let labels = Labels::read(head)?;
    labels.find_signature(head, |_| true)?.ok_or(Refusal::BadCredential)
}

/// Compares what was signed (`signed`, or the base of the request as given) with what the gate sees (`gate_s`,
/// or the same).
pub(crate) fn compare(
    request: &RequestInput,
    signed: Option<&str>,
    gate_s: Option<&str>,
) -> String {
    let computed = request.head().and_then(|head| signature(&head).ok()?.redacted_base(&head).ok());
    let left = signed
        .map(|text| text.trim_end_matches(['\r', '\n']).to_owned())
        .or_else(|| computed.clone());
    let right = gate_s.map(str::to_owned).or(computed);
    let (Some(left), Some(right)) = (left, right) else {
        return "\nNo signature base can be made of this request.\n".to_owned();
    };
    let left_name = if signed.is_some() { "what was signed" } else { "the request as given" };
    let right_name = if gate_s.is_some() { "what the gate saw" } else { "the request as given" };
    match signed.is_none() && gate_s.is_none() {
        true => format!("\nThe signature base of the request as given:\n\n{left}\n"),
        false => side_by_side((left_name, &left), (right_name, &right)),
    }
}

fn side_by_side(left: (&str, &str), right: (&str, &str)) -> String {
    let theirs: Vec<&str> = left.1.split('\n').collect();
    let ours: Vec<&str> = right.1.split('\n').collect();
    let widest = theirs.iter().map(|line| line.chars().count()).max();
    let width = widest.unwrap_or_default().clamp(left.0.len(), WIDTH);
    let mut text = format!("\n  {:width$} | {}\n", left.0, right.0);
    let mut first = None;
    for index in 0..theirs.len().max(ours.len()) {
        let (one, other) = (theirs.get(index).copied(), ours.get(index).copied());
        let same = is_same(one, other);
        // The gate redacts this line, so it is redacted here, too.
        let one = if same { other } else { one.map(without_credential) };
        let other = other.map(without_credential);
        let mark = if same { ' ' } else { '>' };
        if !same && first.is_none() {
            first = Some((index, one.unwrap_or_default(), other.unwrap_or_default()));
        }
        let cut = shortened(one.unwrap_or("(no such line)"), width);
        let other = other.unwrap_or("(no such line)");
        text.push_str(&format!("{mark} {cut:width$} | {other}\n"));
    }
    text.push_str(&match first {
        None => "\nThe two are the same: the bytes agree, so the secrets do not.\n".to_owned(),
        Some((index, one, other)) => difference(index, one, other),
    });
    text
}

/// Returns a line of a base, without a caller's credential in it.
fn without_credential(line: &str) -> &str {
    let names = ["authorization", "proxy-authorization", "cookie", "x-api-key", "x-auth-token"];
    let name = line.split_inclusive(':').next().unwrap_or_default();
    match names.iter().any(|own| name.trim_matches(['"', ':']) == *own) {
        true => name,
        false => line,
    }
}

/// Returns true if two lines agree, as far as the gate shows its own.
fn is_same(one: Option<&str>, other: Option<&str>) -> bool {
    let (Some(one), Some(other)) = (one, other) else {
        return false;
    };
    let parts: Vec<&str> = other.split(REDACTED).collect();
    let [first, between @ .., last] = parts.as_slice() else {
        return one == other;
    };
    let rest = one.strip_prefix(first).and_then(|rest| rest.strip_suffix(last));
    let mut between = between.iter();
    rest.is_some_and(|rest| {
        let left = between.try_fold(rest, |left, part| Some(left.split_once(part)?.1));
        left.is_some()
    })
}

fn shortened(line: &str, width: usize) -> String {
    match line.chars().count() > width {
        true => line.chars().take(width.saturating_sub(1)).chain(['…']).collect(),
        false => line.to_owned(),
    }
}

/// Returns the first line that differs, whole, with a mark below the first character that does.
fn difference(index: usize, one: &str, other: &str) -> String {
    let same = one.chars().zip(other.chars()).take_while(|(a, b)| a == b).count();
    format!(
        "\nThe first difference is in line {}, at character {}:\n\n    {one}\n    {other}\n    {}^\n",
        index + 1,
        same + 1,
        " ".repeat(same)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_marked() {
        let text = side_by_side(("signed", "a: 1\nb: 2:443\nc: 3"), ("gate", "a: 1\nb: 2\nc: 3"));
        assert!(text.contains("> b: 2:443 | b: 2\n"), "{text}");
        assert!(
            text.contains("line 2, at character 5:\n\n    b: 2:443\n    b: 2\n        ^\n"),
            "{text}"
        );
    }

    #[test]
    fn what_is_redacted_is_neither_a_difference_nor_shown() {
        let ours = "\"authorization\": [redacted]";
        let text = side_by_side(("signed", "\"authorization\": Bearer xyz"), ("gate", ours));
        assert!(text.contains("The two are the same") && !text.contains("xyz"), "{text}");
        let ours = "\"@query\": ?token=[redacted]&a=1&sig=[redacted]";
        for (theirs, is_same) in [
            ("\"@query\": ?token=xyz&a=1&sig=", true),
            ("\"@query\": ?token=xyz&a=2&sig=", false),
            ("\"@query\": ?tokens=xyz&a=1&sig=", false),
        ] {
            let text = side_by_side(("signed", theirs), ("gate", ours));
            assert_eq!(text.contains("The two are the same"), is_same, "{text}");
        }
        let text =
            side_by_side(("signed", "\"authorization\": Basic xyz"), ("gate", "\"cookie\": a=xyz"));
        assert!(text.contains("\"authorization\":") && !text.contains("xyz"), "{text}");
        let text = side_by_side(("signed", "a\nb"), ("gate", "a"));
        assert!(text.contains("(no such line)"), "{text}");
    }
}
