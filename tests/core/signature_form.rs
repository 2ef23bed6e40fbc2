//! The form of `Signature-Input` and `Signature` (docs/wire-contract.md, section 3; RFC 8941): every rule broken,
//! always to the same answer, and beside it the nearest form that keeps it.

use testkit::client::Request;
use testkit::gate::KEY;
use testkit::signing::bytes;
use testkit::token::now;

use crate::native::Check;
use crate::signatures::start;
use testkit::bound::{BAD, STALE, refused};

const LIST: &str = r#"("@method" "@authority" "@path" "@query")"#;

/// Returns the list of a good signature, and this instead of its parameters.
pub(crate) fn with_params(table: &Check, params: &str) -> Request {
    let text = format!("{LIST}{params}");
    table.gate.signature().member(&text).sign(Request::get("/x"))
}

/// Returns the parameters of a good signature, and this instead of its list.
pub(crate) fn with_list(table: &Check, list: &str) -> Request {
    let text = format!("{list};created={};keyid=\"{KEY}\"", now());
    table.gate.signature().member(&text).sign(Request::get("/x"))
}

/// Sends these very texts, with no signature that could be good.
fn raw(input: &str, signature: &str) -> Request {
    let request = Request::get("/x").header("Signature-Input", input);
    request.header("Signature", signature)
}

#[test]
fn an_input_that_does_not_parse_is_refused() {
    let mut table = start();
    let good = format!("{LIST};created={};keyid=\"{KEY}\"", now());
    let tag = format!("sig1={}", bytes([7; 32]));
    for input in [
        "(".to_owned(),
        "=".into(),
        "sig1".to_owned() + &good,
        format!("sig1={good},"),
        format!("sig1={good};"),
        format!("sig1={good};="),
        format!("sig1={good} garbage"),
        format!("sig1={good};;tag=\"a\""),
        format!("Sig1={good}"),
        format!("1sig={good}"),
        format!("sig1 = {good}"),
        format!("\"sig1\"={good}"),
        format!("sig1=({good})"),
        format!("sig1={}", "(".repeat(5_000)),
        format!("sig1={}", &good[1..]),
        format!("sig1={}", good.replace(')', "")),
        format!("sig1={}", good.replace(' ', ",")),
        format!("sig1={}", good.replace(' ', "")),
        format!("sig1={}", good.replace(' ', "\t")),
        format!("sig1={}", good.replacen('"', "'", 2)),
        format!("sig1={}", good.replacen('"', "", 1)),
        format!("sig1={}", good.replace("@method", "@m\\ethod")),
        format!("sig1={}", good.replace("@method", "@m\u{e9}thod")),
        format!("sig1={good}, sig2=("),
        format!("sig1={good}, sig2=:not base64:"),
        format!("sig1={good}, sig1={good}"),
        format!("sig1={good}, sig1"),
    ] {
        let what = input.get(..80).unwrap_or(&input).to_owned();
        refused(&mut table, &what, raw(&input, &tag), BAD);
    }
    let twice = raw(&format!("sig1={good}"), &tag);
    let twice = twice.header("Signature-Input", &format!("sig1={good}"));
    refused(&mut table, "one label in two fields", twice, BAD);
    table.passes("as it should be", &with_list(&table, LIST));
}

#[test]
fn a_list_holds_only_strings_and_each_of_them_once() {
    let mut table = start();
    for list in [
        LIST.replace("\"@path\"", "path"),
        LIST.replace("\"@path\"", "1"),
        LIST.replace("\"@path\"", "1.5"),
        LIST.replace("\"@path\"", "?1"),
        LIST.replace("\"@path\"", ":QHBhdGg=:"),
        LIST.replace("\"@path\"", "(\"@path\")"),
        LIST.replace(')', " \"@path\")"),
        LIST.replace(')', " \"host\" \"host\")"),
        LIST.replace(')', " \"Host\")"),
        LIST.replace(')', " \"HOST\")"),
        LIST.replace(')', " \"@query-param\")"),
        LIST.replace(')', " \"@query-param\";name=\"a\";name=\"a\")"),
        LIST.replace(')', " \"@query-param\";name=\"a\" \"@query-param\";name=\"a\")"),
        "\"@method\"".into(),
        "?1".into(),
        "1".into(),
        "token".into(),
        ":AAAA:".into(),
    ] {
        let request = with_list(&table, &list);
        refused(&mut table, &list, request, BAD);
    }
    let host = with_list(&table, LIST);
    table.passes("each once", &host);
}

#[test]
fn parameters_have_their_types_and_occur_once() {
    let mut table = start();
    let created = format!(";created={}", now());
    let keyid = format!(";keyid=\"{KEY}\"");
    let more = |text: &str| format!("{created}{keyid}{text}");
    for params in [
        format!("{created};keyid={KEY}"),
        format!("{created};keyid=:{KEY}:"),
        format!("{created};keyid=\"{KEY}"),
        format!(";created{keyid}"),
        format!(";created=?1{keyid}"),
        format!(";created=\"{}\"{keyid}", now()),
        format!(";created={}.0{keyid}", now()),
        format!(";created=+{}{keyid}", now()),
        format!(";created=@{}{keyid}", now()),
        format!(";created=1000000000000000{keyid}"),
        format!(";created={}{keyid}", "9".repeat(400)),
        format!(";created=-{keyid}"),
        format!(";created=-1000000000000000{keyid}"),
        format!(";created=now{keyid}"),
        more(";expires"),
        more(";expires=\"9999999999\""),
        more(";expires=9999999999.5"),
        more(";expires=99999999999999999999"),
        more(";alg=hmac-sha256"),
        more(";alg=:aG1hYy1zaGEyNTY=:"),
        more(";alg"),
        more(";nonce=12345678"),
        more(";nonce=abcdefgh"),
        more(";nonce=:YWJjZGVmZ2g=:"),
        more(";nonce"),
        more(";nonce=\"\""),
        more(";nonce=\"1234567\""),
        more(&format!(";nonce=\"{}\"", "n".repeat(129))),
        more(";nonce=\"12345678\u{e9}\""),
        more(&created),
        more(&keyid),
        more(";keyid=\"pk_other\""),
        more(";alg=\"hmac-sha256\";alg=\"hmac-sha256\""),
        more(";x=1;x=1"),
        more(";x;x"),
        more(";Created=1"),
    ] {
        let request = with_params(&table, &params);
        refused(&mut table, params.get(..90).unwrap_or(&params), request, BAD);
    }
    for params in [
        more(""),
        format!("{keyid}{created}"),
        more(";expires=999999999999999"),
        more(";nonce=\"12345678\""),
        more(";nonce=\"a \\\\ \\\" ~~\""),
        more(&format!(";nonce=\"{}\"", "n".repeat(128))),
        more(";tag=\"a\";x=1;y;z=?0;w=token;v=1.5;u=:AA==:"),
    ] {
        let request = with_params(&table, &params);
        table.passes(&params, &request);
    }
    let lowest = with_params(&table, &format!(";created=-999999999999999{keyid}"));
    refused(&mut table, "the lowest integer", lowest, STALE);
}

#[test]
fn spaces_that_structured_fields_allow_do_not_count() {
    let mut table = start();
    let good = table.gate.signature();
    let plain = good.params(&Request::get("/x"));
    for sent in [
        plain.replacen('(', "(  ", 1),
        plain.replace("\" \"", "\"    \""),
        plain.replace(')', "   )"),
        plain.replace(';', ";  "),
        format!("{plain}   "),
    ] {
        let request = good.clone().sent(&sent).sign(Request::get("/x"));
        table.passes(&sent, &request);
    }
    let mut spread = good.sign(Request::get("/x"));
    for (name, value) in &mut spread.headers {
        let (before, after) =
            if name == "Signature" { ("a=:AA==: ,\t", "") } else { ("a=1, b ,  ", " ,\tc=()") };
        *value = format!("{before}{value}{after}");
    }
    table.passes("among other members", &spread);
}

#[test]
fn the_signature_is_32_bytes_of_the_same_label() {
    let mut table = start();
    let good = table.gate.signature();
    let request = good.sign(Request::get("/x"));
    let right = bytes(good.mac(&request));
    let text = &right[1..right.len() - 1];
    for tag in [
        format!("\"{text}\""),
        text.trim_end_matches('=').to_owned(),
        format!("({right})"),
        "?1".into(),
        "1".into(),
        "::".into(),
        ":AA==:".into(),
        ":!!!!:".into(),
        format!(":{text}"),
        format!("{right}{right}"),
        bytes([7; 31]),
        bytes([7; 33]),
        bytes([7; 64]),
    ] {
        let request = good.clone().tag(&tag).sign(Request::get("/x"));
        refused(&mut table, &tag, request, BAD);
    }
    let input = format!("sig1={}", good.params(&request));
    for signature in [
        String::new(),
        format!("sig2={right}"),
        format!("Sig1={right}"),
        format!("sig1={right},"),
        format!("sig1={right}, sig1={right}"),
        format!("a=1, sig1={right}, a=1"),
        right.clone(),
        "sig1".into(),
        "sig1=".into(),
    ] {
        refused(&mut table, &signature, raw(&input, &signature), BAD);
    }
    let none = Request::get("/x").header("Signature-Input", &input);
    refused(&mut table, "no signature at all", none, BAD);
    table.passes("the right one", &raw(&input, &format!("sig1={right}")));
}
