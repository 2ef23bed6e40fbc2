//! Changes of `wrangler.toml` that leave everything else in it as it is: comments, order and white space.

use serde_json::Value;
use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table};
use writegate::KeyId;

use crate::error::{Error, Result};

/// Returns a record with these fields, as JSON.
pub(crate) fn whole(record: &[(&str, Value)]) -> Value {
    let members = record.iter().map(|(field, value)| ((*field).to_owned(), value.clone()));
    Value::Object(members.collect())
}

/// Returns this record as a table of this list, for a person to paste.
pub(crate) fn block(list: &str, record: &[(&str, Value)]) -> String {
    format!("[[vars.{list}]]\n{}", table(record))
}

/// Returns the text with this record at the end of a list of the variables, of this environment of wrangler's.
pub(crate) fn push(
    text: &str,
    environment: Option<&str>,
    list: &str,
    record: &[(&str, Value)],
) -> Result<String> {
    let mut document = parse(text)?;
    let mut table = table(record);
    table.decor_mut().set_prefix("\n");
    tables(&mut document, environment, list)?.push(table);
    Ok(document.to_string())
}

/// Returns the text with these fields of a key changed; null removes one. `None` if the list has no such key.
pub(crate) fn change_key(
    text: &str,
    environment: Option<&str>,
    id: &KeyId,
    changes: &[(&str, Value)],
) -> Result<Option<String>> {
    let mut document = parse(text)?;
    let keys = tables(&mut document, environment, "KEYS")?;
    let is_it = |key: &&mut Table| key.get("id").and_then(Item::as_str) == Some(id.as_str());
    let Some(key) = keys.iter_mut().find(is_it) else {
        return Ok(None);
    };
    for (field, value) in changes {
        match (value, key.get_mut(field)) {
            (Value::Null, _) => drop(key.remove(field)),
            (value, Some(item)) => {
                // A comment behind the old value says something about the field.
                let decor = item.as_value().map(|old| old.decor().clone());
                let mut new = inline(value);
                if let Some(decor) = decor {
                    *new.decor_mut() = decor;
                }
                *item = Item::Value(new);
            }
            (value, None) => drop(key.insert(field, Item::Value(inline(value)))),
        }
    }
    Ok(Some(document.to_string()))
}

/// Returns the text without an environment.
pub(crate) fn without_environment(text: &str, name: &str) -> Result<String> {
    let mut document = parse(text)?;
    if let Some(environments) = document.get_mut("env").and_then(Item::as_table_like_mut) {
        let _former = environments.remove(name);
    }
    Ok(document.to_string())
}

fn parse(text: &str) -> Result<DocumentMut> {
    text.parse::<DocumentMut>()
        .map_err(|error| Error::usage(format!("wrangler.toml: {}", error.message())))
}

/// Returns a list of the variables that is written as tables, `[[vars.KEYS]]`.
fn tables<'d>(
    document: &'d mut DocumentMut,
    environment: Option<&str>,
    list: &str,
) -> Result<&'d mut ArrayOfTables> {
    let mut table = document.as_table_mut() as &mut dyn toml_edit::TableLike;
    let above = environment.map(|name| ["env", name]);
    for name in above.iter().flatten().copied().chain(["vars"]) {
        let below = table.entry(name).or_insert_with(implicit);
        table = below
            .as_table_like_mut()
            .ok_or_else(|| Error::usage(format!("wrangler.toml: {name} is not a table")))?;
    }
    let tables = table.entry(list).or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
    tables.as_array_of_tables_mut().ok_or_else(|| {
        Error::usage(format!(
            "wrangler.toml has {list} in another form than [[vars.{list}]]: change it by hand"
        ))
    })
}

/// Returns a table without a line of its own.
fn implicit() -> Item {
    let mut table = Table::new();
    table.set_implicit(true);
    Item::Table(table)
}

fn table(record: &[(&str, Value)]) -> Table {
    record.iter().map(|(field, value)| (*field, Item::Value(inline(value)))).collect()
}

/// Returns a value of a record; none has a null or a fraction.
fn inline(value: &Value) -> toml_edit::Value {
    match value {
        Value::Null => String::new().into(),
        Value::Bool(yes) => (*yes).into(),
        Value::Number(number) => number.as_i64().unwrap_or_default().into(),
        Value::String(text) => text.as_str().into(),
        Value::Array(list) => list.iter().map(inline).collect::<Array>().into(),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| (name.as_str(), inline(value)));
            members.collect::<InlineTable>().into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TEXT: &str = "# Mine\nname = \"gate\"\n\n[vars]\nUPSTREAM = \"https://a.example\" # the API\n\n\
        # The first\n[[vars.KEYS]]\nid = \"pk_a\"\nmethods = [\"POST\"] # writes\n\n\
        [triggers]\ncrons = []\n\n[env.staging.vars]\nUPSTREAM = \"https://b.example\"\n";

    fn record() -> Vec<(&'static str, Value)> {
        vec![
            ("id", json!("pk_b")),
            ("name", json!("A \"quoted\" name")),
            ("quota", json!({"per": "day", "requests": 5})),
            ("paths", json!(["/x"])),
        ]
    }

    #[test]
    fn a_record_goes_behind_the_last_one_and_nothing_else_changes() {
        let new = push(TEXT, None, "KEYS", &record()).unwrap();
        let block = "\n[[vars.KEYS]]\nid = \"pk_b\"\nname = 'A \"quoted\" name'\n\
                     quota = { per = \"day\", requests = 5 }\npaths = [\"/x\"]\n";
        assert!(new.contains(block), "{new}");
        assert_eq!(new.replacen(block, "", 1), TEXT);
        let twice = push(&new, None, "KEYS", &[("id", json!("pk_c"))]).unwrap();
        let ids: Value = toml::from_str(&twice).unwrap();
        let ids: Vec<_> =
            ids["vars"]["KEYS"].as_array().unwrap().iter().map(|key| key["id"].clone()).collect();
        assert_eq!(ids, ["pk_a", "pk_b", "pk_c"]);
    }

    #[test]
    fn an_environment_has_a_list_of_its_own() {
        let new = push(TEXT, Some("staging"), "KEYS", &record()).unwrap();
        let whole: Value = toml::from_str(&new).unwrap();
        assert_eq!(whole["env"]["staging"]["vars"]["KEYS"][0]["id"], "pk_b");
        assert_eq!(whole["env"]["staging"]["vars"]["UPSTREAM"], "https://b.example");
        assert_eq!(whole["vars"]["KEYS"].as_array().unwrap().len(), 1);
        let first = push("name = \"x\"\n", None, "ROUTES", &[("path", json!("/a/*"))]).unwrap();
        let whole: Value = toml::from_str(&first).unwrap();
        assert_eq!(whole["vars"]["ROUTES"], json!([{"path": "/a/*"}]));
    }

    #[test]
    fn a_key_s_fields_change_and_its_comments_stay() {
        let id = KeyId::parse("pk_a").unwrap();
        let changes = [("methods", json!(["GET"])), ("revoked", json!(true))];
        let new = change_key(TEXT, None, &id, &changes).unwrap().unwrap();
        let expected = TEXT.replace(
            "methods = [\"POST\"] # writes\n",
            "methods = [\"GET\"] # writes\nrevoked = true\n",
        );
        assert_eq!(new, expected);
        let undone = [("methods", json!(["POST"])), ("revoked", Value::Null)];
        assert_eq!(change_key(&new, None, &id, &undone).unwrap().unwrap(), TEXT);
        let none = KeyId::parse("pk_none").unwrap();
        assert!(change_key(TEXT, None, &none, &changes).unwrap().is_none());
    }

    #[test]
    fn another_form_is_left_to_a_person() {
        let text = "vars = { KEYS = [{ id = \"pk_a\" }] }\n";
        let error = push(text, None, "KEYS", &record()).unwrap_err();
        assert!(error.message.contains("[[vars.KEYS]]: change it by hand"), "{}", error.message);
        assert_eq!(error.code, 2);
    }
}
