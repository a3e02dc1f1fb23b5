//! What is read of one row of a list: some of its members, and the rest of it passed over

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::elements::NoList;

/// The name and the value of `"name": value`
pub(super) fn member(row: &[u8]) -> Result<(String, Box<RawValue>), NoList> {
    struct Member;
    impl<'de> Visitor<'de> for Member {
        type Value = (String, Box<RawValue>);

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("one member")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
            let first = members.next_entry()?.ok_or_else(|| A::Error::custom("no member"))?;
            match members.next_key::<IgnoredAny>()? {
                None => Ok(first),
                Some(_) => Err(A::Error::custom("two members")),
            }
        }
    }
    let object = [b"{", row, b"}"].concat();
    let mut reader = serde_json::Deserializer::from_slice(&object);
    let member = reader.deserialize_map(Member).and_then(|member| reader.end().map(|()| member));
    member.map_err(|_| NoList::Element)
}

/// These members of an object, where they are text; a text in its place is the first of them
pub(super) fn texts<'a, const N: usize>(
    row: &'a [u8],
    names: [&str; N],
) -> Result<[Option<Cow<'a, str>>; N], NoList> {
    struct Texts<'n, const N: usize>([&'n str; N]);
    impl<'de, const N: usize> Visitor<'de> for Texts<'_, N> {
        type Value = [Option<Cow<'de, str>>; N];

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a name, or an object with it")
        }

        fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
            let mut found = [const { None }; N];
            if let Some(first) = found.first_mut() {
                *first = Some(Cow::Borrowed(text));
            }
            Ok(found)
        }

        fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
            let mut found = [const { None }; N];
            if let Some(first) = found.first_mut() {
                *first = Some(Cow::Owned(text.to_owned()));
            }
            Ok(found)
        }

        fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
            let mut found: Self::Value = [const { None }; N];
            while let Some(Text(name)) = members.next_key()? {
                let wanted = self.0.iter().position(|wanted| *wanted == name);
                match wanted.and_then(|wanted| found.get_mut(wanted)) {
                    None => {
                        members.next_value::<IgnoredAny>()?;
                    }
                    Some(Some(_)) => return Err(A::Error::custom("twice")),
                    Some(slot) => *slot = Some(members.next_value::<Text<'de>>()?.0),
                }
            }
            Ok(found)
        }
    }
    let mut reader = serde_json::Deserializer::from_slice(row);
    let texts = reader.deserialize_any(Texts(names)).and_then(|texts| reader.end().map(|()| texts));
    texts.map_err(|_| NoList::Element)
}

/// A text, borrowed where it has no escapes
#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
