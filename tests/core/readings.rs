//! One path, one meaning: whichever way a server reads what is forwarded, it is on the route, and within
//! the key's paths, that the gate decided for.

use serde_json::{Value, json};

use writegate::{Decision, Gate};

use crate::world::{code, decide, gate_with, raw, token};

/// Returns a gate with these routes, each at a host of its own.
fn table(key: Value, routes: &[(&str, Value)]) -> Gate {
    let routes: Vec<Value> = routes
        .iter()
        .enumerate()
        .map(|(index, (path, changes))| {
            let upstream = format!("https://api{index}.example");
            let mut route = json!({"path": path, "upstream": upstream, "encoded_slash": true});
            for (name, value) in changes.as_object().unwrap() {
                route[name] = value.clone();
            }
            route
        })
        .collect();
    gate_with(key, json!({}), [("ROUTES", json!(routes))])
}

fn sent(gate: &Gate, method: &str, path: &str) -> String {
    let target = format!("https://gate.example{path}");
    let bearer = format!("Bearer {}", token(json!({})));
    code(gate, raw(method, &target, &[("authorization", &bearer)]))
}

/// Returns the index of the route that a request goes to.
fn route_taken(gate: &Gate, path: &str) -> Option<usize> {
    let target = format!("https://gate.example{path}");
    let bearer = format!("Bearer {}", token(json!({})));
    match decide(gate, raw("POST", &target, &[("authorization", &bearer)])) {
        Decision::Respond(_) => None,
        Decision::Forward(outbound, _) => {
            let rest = outbound.url.strip_prefix("https://api").unwrap();
            Some(rest[..1].parse().unwrap())
        }
    }
}

fn decoded(path: &str, decodes: impl Fn(u8) -> bool) -> String {
    let mut read = String::new();
    let mut rest = path;
    while let Some(first) = rest.chars().next() {
        let byte = rest
            .get(1..3)
            .filter(|_| first == '%')
            .and_then(|digits| u8::from_str_radix(digits, 16).ok())
            .filter(|byte| decodes(*byte));
        read.push(byte.map_or(first, char::from));
        rest = &rest[if byte.is_some() { 3 } else { 1 }..];
    }
    read
}

fn each_segment(path: &str, change: impl Fn(&str) -> &str) -> String {
    let segments: Vec<&str> = path.split('/').map(change).collect();
    segments.join("/")
}

/// Returns every way in which a server may read a path: some decode, some cut, some merge, some fold.
fn readings(path: &str) -> Vec<String> {
    let is_slash = |byte| matches!(byte, b'/' | b'\\');
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let cut = |path: &str| each_segment(path, |segment| segment.split(';').next().unwrap());
    let trimmed = |path: &str| each_segment(path, |segment| segment.trim_end_matches([' ', '.']));
    let mut all = vec![path.to_owned(), cut(path)];
    for path in all.clone() {
        all.push(decoded(&path, is_unreserved));
        all.push(decoded(&path, |byte| !is_slash(byte)));
        all.push(decoded(&path, |_| true).replace('\\', "/"));
    }
    for path in all.clone() {
        all.extend([cut(&path), trimmed(&path), trimmed(&cut(&path))]);
    }
    for path in all.clone() {
        let mut merged = path;
        while merged.contains("//") {
            merged = merged.replace("//", "/");
        }
        all.push(merged);
    }
    for path in all.clone() {
        all.push(path.to_ascii_lowercase());
    }
    all.sort();
    all.dedup();
    all
}

fn matches(pattern: &str, path: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(stem) => path.starts_with(stem),
        None => path == pattern,
    }
}

/// Paths of two segments and a rest, each in many spellings.
fn paths() -> Vec<String> {
    let spellings = |name: &str| {
        let (first, rest) = name.split_at(1);
        let encoded = format!("%{:02x}{rest}", first.as_bytes()[0]);
        vec![
            name.to_owned(),
            format!("{encoded}"),
            format!("{name};x=1"),
            format!("{encoded};"),
            format!("{encoded}%3Bx"),
            format!("{name}%3bx=/"),
            format!("{name}."),
            format!("{name}%20"),
            name.to_ascii_uppercase(),
            format!("%25{:02x}{rest}", first.as_bytes()[0]),
            format!("{name}s"),
        ]
    };
    let joints = ["/", "%2F", "%5c", "/;/", "/%2f"];
    let mut paths = Vec::new();
    for first in spellings("cms") {
        for second in spellings("users") {
            for joint in joints {
                for rest in ["", "/", "/7", "/%37;y", "%2F7"] {
                    paths.push(format!("/{first}{joint}{second}{rest}"));
                }
            }
        }
    }
    paths
}

#[test]
fn a_forwarded_path_is_on_one_route_for_every_reader() {
    let tables: [&[&str]; 4] = [
        &["/cms/*", "/cms/users/*"],
        &["/*", "/cms/users/*", "/cms/users"],
        &["/*", "/cms/users/7"],
        &["/cms/users/*", "/cms/usersx/*"],
    ];
    let mut forwarded = 0;
    for patterns in tables {
        let routes: Vec<(&str, Value)> = patterns.iter().map(|path| (*path, json!({}))).collect();
        let gate = table(json!({}), &routes);
        for path in paths() {
            let Some(taken) = route_taken(&gate, &path) else {
                continue;
            };
            forwarded += 1;
            for read in readings(&path) {
                let candidates =
                    (0..patterns.len()).filter(|index| matches(patterns[*index], &read));
                let best = candidates.max_by_key(|index| {
                    let pattern = patterns[*index];
                    (!pattern.ends_with('*'), pattern.len())
                });
                assert_eq!(best, Some(taken), "{path} read as {read} among {patterns:?}");
            }
        }
    }
    assert!(forwarded > 200, "{forwarded}");
}

#[test]
fn a_forwarded_path_is_within_the_key_s_paths_for_every_reader() {
    for pattern in ["/cms/users/*", "/cms/users", "/cms/*"] {
        let gate = table(json!({"paths": [pattern]}), &[("/*", json!({}))]);
        for path in paths() {
            if route_taken(&gate, &path).is_some() {
                for read in readings(&path) {
                    assert!(matches(pattern, &read), "{path} read as {read}: {pattern}");
                }
            }
        }
    }
}

#[test]
fn a_path_that_no_route_takes_as_sent_is_only_ambiguous_if_it_is_encoded_or_cut() {
    let gate = table(json!({}), &[("/cms/users", json!({})), ("/img/*", json!({}))]);
    for path in ["/cms/users.", "/CMS/users", "/Img/a", "/cms/users/", "/img./a"] {
        assert_eq!(sent(&gate, "GET", path), "no-route", "{path}");
    }
    for path in ["/cms/user%73", "/cms/users;x", "/cms/users%20", "/im%67/a", "/cms%2Fusers"] {
        assert_eq!(sent(&gate, "GET", path), "bad-path", "{path}");
    }
    // Another route takes these as they were sent.
    let gate = table(json!({}), &[("/cms/users", json!({})), ("/*", json!({}))]);
    for path in ["/cms/users.", "/CMS/users"] {
        assert_eq!(sent(&gate, "GET", path), "bad-path", "{path}");
    }
}

#[test]
fn the_gate_s_own_paths_have_one_spelling() {
    let gate = table(json!({}), &[("/*", json!({}))]);
    for path in [
        "/%5Fgate/keys", "/_gate;x/keys", "/_gate%3Bx/keys", "/_gate%2Fkeys", "/_GATE/keys",
        "/_gate./keys", "/%5fgate/health",
    ] {
        assert_eq!(sent(&gate, "GET", path), "bad-path", "{path}");
    }
    for path in ["/_gate/key%73", "/_gate/keys;x", "/_gate/health;x"] {
        assert_eq!(sent(&gate, "GET", path), "no-route", "{path}");
    }
}

#[test]
fn paths_that_only_some_readings_allow_are_refused() {
    let gate = table(json!({"paths": ["/cms/posts/*"]}), &[("/*", json!({}))]);
    for path in ["/cms/%70osts/7", "/cms/posts;x/7", "/cms%2Fposts/7", "/c%6ds/posts/7"] {
        assert_eq!(sent(&gate, "POST", path), "bad-path", "{path}");
    }
    for path in ["/cms/users/7", "/cms/%75sers/7", "/CMS/posts/7", "/cms/posts./7"] {
        assert_eq!(sent(&gate, "POST", path), "path-denied", "{path}");
    }
    assert_eq!(sent(&gate, "POST", "/cms/posts/%37;x"), "forwarded");

    let gate = table(json!({}), &[("/*", json!({}))]);
    let session = |path: &str| {
        let target = format!("https://gate.example{path}");
        let bearer = format!("Bearer {}", token(json!({"paths": ["/cms/posts/7"]})));
        code(&gate, raw("POST", &target, &[("authorization", &bearer)]))
    };
    assert_eq!(session("/cms/posts/7"), "forwarded");
    assert_eq!(session("/cms/posts/%37"), "bad-path");
    assert_eq!(session("/cms/posts/8"), "path-denied");
}
