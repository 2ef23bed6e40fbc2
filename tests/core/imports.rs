//! The rooms of `src/` and the modules of `cli/src/` import one another without circles.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Most folders and files at the top of `src/`, without `lib.rs`.
const MAX_ROOMS: usize = 14;

type Graph = BTreeMap<String, BTreeSet<String>>;

/// Adds what the files below `path` import from `crate`, under the name `room`.
fn read(path: &Path, room: &str, graph: &mut Graph) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            read(&entry.unwrap().path(), room, graph);
        }
        return;
    }
    if path.extension().is_none_or(|kind| kind != "rs") {
        return;
    }
    let text = fs::read_to_string(path).unwrap();
    let imports = graph.entry(room.to_owned()).or_default();
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code = code.collect::<Vec<_>>().join("\n");
    for import in code.split("crate::").skip(1) {
        // Of `crate::{a, b::c}` the first word of each.
        let listed = import.strip_prefix('{').and_then(|rest| rest.split_once("};"));
        let paths = listed.map_or_else(|| vec![import], |(list, _)| list.split(',').collect());
        for path in paths.into_iter().map(str::trim_start) {
            let end = path.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let name = &path[..end.unwrap_or(path.len())];
            if name != room {
                imports.insert(name.to_owned());
            }
        }
    }
}

/// Returns the import graph of a crate's top-level modules.
fn graph(source: &str) -> Graph {
    let mut graph = Graph::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(source);
    for entry in fs::read_dir(source).unwrap() {
        let path = entry.unwrap().path();
        let room = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if !matches!(room.as_str(), "lib" | "main") {
            read(&path, &room, &mut graph);
        }
    }
    let rooms: BTreeSet<String> = graph.keys().cloned().collect();
    for imports in graph.values_mut() {
        // The façade of `lib.rs` and macros are no rooms.
        imports.retain(|name| rooms.contains(name));
    }
    graph
}

/// Returns the rooms that are left when those that import nothing are taken away, again and again.
fn circles(mut graph: Graph) -> Graph {
    loop {
        let free: Vec<String> = graph
            .iter()
            .filter(|(_, imports)| imports.is_empty())
            .map(|(room, _)| room.clone())
            .collect();
        if free.is_empty() {
            return graph;
        }
        graph.retain(|room, _| !free.contains(room));
        for imports in graph.values_mut() {
            imports.retain(|import| !free.contains(import));
        }
    }
}

#[test]
fn no_rooms_of_the_worker_import_each_other_in_a_circle() {
    let graph = graph("src");
    assert!(graph.len() <= MAX_ROOMS, "{:?}", graph.keys());
    assert!(graph["gateway"].contains("credential"), "the imports were read");
    let circles = circles(graph);
    assert!(circles.is_empty(), "{circles:#?}");
}

#[test]
fn no_modules_of_the_command_import_each_other_in_a_circle() {
    let graph = graph("cli/src");
    assert!(graph.len() > 10, "{:?}", graph.keys());
    let circles = circles(graph);
    assert!(circles.is_empty(), "{circles:#?}");
}
