//! Structured fields (RFC 9651), parsed with `sfv` and more strictly than the RFC: a repeated label or
//! parameter is an error. In the RFC the last one wins, so two readers could see different things.
//!
//! In scope: dictionaries, and the serialization of an inner list. Out of scope: the meaning of any of
//! them.

use core::fmt;
use std::collections::BTreeSet;

use sfv::visitor::{
    DictionaryVisitor, EntryVisitor, InnerListVisitor, ItemVisitor, ParameterVisitor,
};
use sfv::{BareItemFromInput, KeyRef, ListSerializer, Parser};

/// Longest field in bytes. It has room for 64 components with long names; all of it is parsed before any
/// MAC is verified.
pub const MAX_FIELD_BYTES: usize = 16 * 1024;

/// A bare item, borrowed from the field where possible.
pub type Bare<'a> = BareItemFromInput<'a>;

/// Parameters in their order, without a repeated name.
pub type Parameters<'a> = Vec<(&'a KeyRef, Bare<'a>)>;

/// An item of an inner list.
#[derive(Debug)]
pub struct Item<'a> {
    /// Its value.
    pub bare: Bare<'a>,
    /// Its parameters.
    pub parameters: Parameters<'a>,
}

/// A member of a dictionary.
#[derive(Debug)]
pub struct Member<'a> {
    /// Its name.
    pub label: &'a str,
    /// Its value.
    pub value: Value<'a>,
    /// Its parameters.
    pub parameters: Parameters<'a>,
}

/// The value of a member.
#[derive(Debug)]
pub enum Value<'a> {
    /// One item.
    Item(Bare<'a>),
    /// Items in parentheses.
    InnerList(Vec<Item<'a>>),
}

/// Parses a dictionary. Returns `None` when it is malformed, too long, or repeats a name.
pub fn dictionary(field: &str) -> Option<Vec<Member<'_>>> {
    if field.len() > MAX_FIELD_BYTES {
        return None;
    }
    Parser::new(field).parse_dictionary_with_visitor(Members::default()).ok()
}

/// Serializes an inner list with its parameters (RFC 9651 section 4.1.1.1).
pub fn inner_list(items: &[Item<'_>], parameters: &Parameters<'_>) -> String {
    let mut text = String::with_capacity(256);
    let mut list = ListSerializer::with_buffer(&mut text);
    let mut inner = list.inner_list();
    for item in items {
        let mut serializer = inner.bare_item(&item.bare);
        for (name, value) in &item.parameters {
            serializer = serializer.parameter(name, value);
        }
    }
    let mut serializer = inner.finish();
    for (name, value) in parameters {
        serializer = serializer.parameter(name, value);
    }
    text
}

/// The error for a repeated name.
#[derive(Debug)]
pub struct RepeatedName;

impl fmt::Display for RepeatedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("repeats a name")
    }
}

impl core::error::Error for RepeatedName {}

#[derive(Default)]
struct Members<'a> {
    members: Vec<Member<'a>>,
    labels: BTreeSet<&'a str>,
}

impl<'a> DictionaryVisitor<'a> for Members<'a> {
    type Out = Vec<Member<'a>>;
    type Error = RepeatedName;

    fn entry(&mut self, key: &'a KeyRef) -> Result<impl EntryVisitor<'a>, RepeatedName> {
        if !self.labels.insert(key.as_str()) {
            return Err(RepeatedName);
        }
        Ok(self.members.push_mut(Member {
            label: key.as_str(),
            value: Value::InnerList(Vec::new()),
            parameters: Vec::new(),
        }))
    }

    fn finish(self) -> Result<Self::Out, RepeatedName> {
        Ok(self.members)
    }
}

impl<'a> EntryVisitor<'a> for &mut Member<'a> {
    type Error = RepeatedName;

    fn item(self) -> Result<impl ItemVisitor<'a>, RepeatedName> {
        Ok(move |bare| {
            let member = self;
            member.value = Value::Item(bare);
            Ok::<_, RepeatedName>(Names::of(&mut member.parameters))
        })
    }

    fn inner_list(self) -> Result<impl InnerListVisitor<'a>, RepeatedName> {
        Ok(List { items: Vec::new(), member: self })
    }
}

struct List<'m, 'a> {
    items: Vec<Item<'a>>,
    member: &'m mut Member<'a>,
}

impl<'a> InnerListVisitor<'a> for List<'_, 'a> {
    type Error = RepeatedName;

    fn item(&mut self) -> Result<impl ItemVisitor<'a>, RepeatedName> {
        let items = &mut self.items;
        Ok(move |bare| {
            let items = items;
            let item = items.push_mut(Item { bare, parameters: Vec::new() });
            Ok::<_, RepeatedName>(Names::of(&mut item.parameters))
        })
    }

    fn finish(self) -> Result<impl ParameterVisitor<'a>, RepeatedName> {
        self.member.value = Value::InnerList(self.items);
        Ok(Names::of(&mut self.member.parameters))
    }
}

struct Names<'m, 'a> {
    parameters: &'m mut Parameters<'a>,
    seen: BTreeSet<&'a str>,
}

impl<'m, 'a> Names<'m, 'a> {
    const fn of(parameters: &'m mut Parameters<'a>) -> Self {
        Self { parameters, seen: BTreeSet::new() }
    }
}

impl<'a> ParameterVisitor<'a> for Names<'_, 'a> {
    type Out = ();
    type Error = RepeatedName;

    fn parameter(&mut self, key: &'a KeyRef, value: Bare<'a>) -> Result<(), RepeatedName> {
        if !self.seen.insert(key.as_str()) {
            return Err(RepeatedName);
        }
        self.parameters.push((key, value));
        Ok(())
    }

    fn finish(self) -> Result<(), RepeatedName> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the field, parsed and written again.
    fn again(field: &str) -> Option<Vec<String>> {
        let members = dictionary(field)?;
        let written = members.iter().map(|member| match &member.value {
            Value::InnerList(items) => inner_list(items, &member.parameters),
            Value::Item(_) => "item".to_owned(),
        });
        Some(written.collect())
    }

    #[test]
    fn order_is_kept_and_spaces_are_not() {
        let field = r#"a=( "x"  "y";name="z\"" );b=1;a="\\" , c=:AA==:"#;
        let expected = [r#"("x" "y";name="z\"");b=1;a="\\""#, "item"];
        assert_eq!(again(field).unwrap(), expected);
    }

    #[test]
    fn a_repeated_member_is_refused() {
        for field in ["a=1, a=2", "a=();b;b", "a=(1;c;c)", "a=1;x=1;x=2"] {
            assert_eq!(again(field), None, "{field}");
        }
        assert!(again("a=(1;c 2;c);c, c=1;a").is_some());
        assert_eq!(again(&format!("a={}", "1".repeat(16))), None);
        assert_eq!(again(&format!("a=\"{}\"", "x".repeat(MAX_FIELD_BYTES))), None);
    }
}
