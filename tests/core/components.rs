//! The components that a signature may cover (docs/wire-contract.md, section 3; RFC 9421, section 2): every derived
//! component, fields, and what the gate does not support. Values are spelt out here, and each is compared with the
//! base that the gate tells.

use testkit::client::Request;

use crate::native::Check;
use crate::signatures::start;
use testkit::bound::{BAD, INCOMPLETE, UNSUPPORTED, component_is, refused};

fn to(target: &str) -> Request {
    Request::get(target)
}

#[test]
fn every_derived_component() {
    let mut table = start();
    let raw = "/a%7eb?x=%2f&y";
    for (target, component, value) in [
        (raw, "@path", "/a%7eb"),
        (raw, "@query", "?x=%2f&y"),
        (raw, "@request-target", raw),
        (raw, "@target-uri", "http://gate.example/a%7eb?x=%2f&y"),
        (raw, "@method", "GET"),
        (raw, "@scheme", "http"),
        (raw, "@authority", "gate.example"),
        ("/", "@path", "/"),
        ("/", "@query", "?"),
        ("/", "@request-target", "/"),
        ("/", "@target-uri", "http://gate.example/"),
        ("/a?", "@query", "?"),
        ("/a?", "@request-target", "/a?"),
        ("/a?", "@target-uri", "http://gate.example/a?"),
        ("/a/?b=c?d", "@query", "?b=c?d"),
        ("/A%2e%C3%A9/", "@path", "/A%2e%C3%A9/"),
        ("/x?b=2&a=1&b=1", "@query", "?b=2&a=1&b=1"),
        ("/x?a+b='%20~", "@query", "?a+b='%20~"),
    ] {
        component_is(&mut table, &to(target), component, value);
    }
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        let request = Request::new(method, "/x").body("{}");
        component_is(&mut table, &request, "@method", method);
    }
    component_is(&mut table, &Request::new("DELETE", "/x"), "@method", "DELETE");
}

#[test]
fn the_authority_is_lower_case_without_its_default_port() {
    let mut table = start();
    for (host, authority, uri) in [
        ("Gate.EXAMPLE", "gate.example", "http://Gate.EXAMPLE/x?y"),
        ("gate.example:80", "gate.example", "http://gate.example:80/x?y"),
        ("Gate.Example:8080", "gate.example:8080", "http://Gate.Example:8080/x?y"),
        ("gate.example:443", "gate.example:443", "http://gate.example:443/x?y"),
        ("192.0.2.7:80", "192.0.2.7", "http://192.0.2.7:80/x?y"),
        ("[2001:DB8::1]", "[2001:db8::1]", "http://[2001:DB8::1]/x?y"),
        ("[2001:db8::1]:81", "[2001:db8::1]:81", "http://[2001:db8::1]:81/x?y"),
    ] {
        let request = to("/x?y").header("Host", host);
        component_is(&mut table, &request, "@authority", authority);
        component_is(&mut table, &request, "@target-uri", uri);
        component_is(&mut table, &request, "host", host);
    }
}

#[test]
fn a_parameter_of_the_query_is_decoded_and_encoded_again() {
    let mut table = start();
    let standard = "/parameters?var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace\
                    &fa%C3%A7ade%22%3A%20=something";
    for (target, name, value) in [
        ("/path?param=value&foo=bar&baz=batman&qux=", "baz", "batman"),
        ("/path?param=value&foo=bar&baz=batman&qux=", "qux", ""),
        ("/path?param=value&foo=bar&baz=batman&qux=", "param", "value"),
        (standard, "var", "this%20is%20a%20big%0Amultiline%20value"),
        (standard, "bar", "with%20plus%20whitespace"),
        (standard, "fa%C3%A7ade%22%3A%20", "something"),
        ("/x?x=%2f&y", "x", "%2F"),
        ("/x?x=%2f&y", "y", ""),
        ("/x?a=1=2", "a", "1%3D2"),
        ("/x?a=b?c/d", "a", "b%3Fc%2Fd"),
        ("/x?a=%41%7e~", "a", "A%7E%7E"),
        ("/x?a=*-._", "a", "*-._"),
        ("/x?a=%2A%2d%2E%5f", "a", "*-._"),
        ("/x?a='(!)", "a", "%27%28%21%29"),
        ("/x?a=100%", "a", "100%25"),
        ("/x?a=%zz%4", "a", "%25zz%254"),
        ("/x?a=%C3%A9", "a", "%C3%A9"),
        ("/x?a=%ff", "a", "%EF%BF%BD"),
        ("/x?%61=1", "a", "1"),
        ("/x?a%20b=1", "a%20b", "1"),
        ("/x?a+b=1", "a%20b", "1"),
        ("/x?b=2&&a=1&", "a", "1"),
        ("/x?A=2&a=1", "a", "1"),
    ] {
        let component = format!("@query-param;name=\"{name}\"");
        component_is(&mut table, &to(target), &component, value);
    }
}

#[test]
fn a_parameter_of_the_query_is_there_once() {
    let mut table = start();
    let by = table.gate.signature();
    let named = |name: &str| by.clone().also(&format!("@query-param;name=\"{name}\""));
    let one = |table: &mut Check, target: &str| {
        let by = named("a").value("@query-param;name=\"a\"", "1");
        refused(table, target, by.sign(to(target)), INCOMPLETE);
    };
    for target in [
        "/x", "/x?", "/x?b=1", "/x?A=1", "/x?b=a", "/x?a=1&a=1", "/x?a=1&a=2", "/x?a=1&a",
        "/x?a=1&%61=2", "/x?aa=1",
    ] {
        one(&mut table, target);
    }
    let (a, b) = ("@query-param;name=\"a\"", "@query-param;name=\"b\"");
    let two = by.clone().also(a).also(b).value(a, "1").value(b, "2");
    table.passes("two of them", &two.sign(to("/x?a=1&b=2")));
}

#[test]
fn the_name_of_a_parameter_is_a_string() {
    let mut table = start();
    for component in ["@query-param", "@query-param;name", "@query-param;name=1"] {
        let by = table.gate.signature().also(component);
        refused(&mut table, component, by.sign(to("/x?a=1")), BAD);
    }
}

#[test]
fn unsupported_components_are_named() {
    let mut table = start();
    let request = || to("/x?a=1").header("X-Own", "a=1").header("Signature-Agent", "me");
    for component in [
        "x-own;sf", "x-own;key=\"a\"", "x-own;bs", "x-own;tr", "x-own;req", "x-own;own",
        "x-own;name=\"a\"", "@method;req", "@method;name=\"a\"", "@path;own=1",
        "@query;name=\"a\"", "@query-param;name=\"a\";req", "@query-param;name=\"a\";own",
        "@status", "@foo", "@", "@query-params",
    ] {
        let by = table.gate.signature().also(component);
        refused(&mut table, component, by.sign(request()), UNSUPPORTED);
        let early = by.secret("another").covers(&[]);
        refused(
            &mut table,
            &format!("{component}, before the MAC"),
            early.sign(request()),
            UNSUPPORTED,
        );
    }
    let by = table.gate.signature().also("@signature-params");
    let itself = [(400, "signature-unsupported"), (400, "bad-credential")];
    table.refused_as_any("itself", &by.sign(request()), &itself);
}

#[test]
fn a_signature_covers_64_components_at_most() {
    let mut table = start();
    let fields = |count: usize| {
        let own = table.gate.signature();
        let request = (0..count).fold(to("/x"), |r, n| r.header(&format!("X-{n}"), "1"));
        (0..count).fold(own, |by, n| by.also(&format!("x-{n}"))).sign(request)
    };
    let (most, more) = (fields(60), fields(61));
    table.passes("64", &most);
    refused(&mut table, "65", more, UNSUPPORTED);
}
