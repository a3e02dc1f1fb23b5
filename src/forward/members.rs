//! What is read of one row of a list: some of its members, and the rest of it passed over

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
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

/// Which members tell of a row who may see it, whatever the list
const TELLING: [&str; 5] = ["dataSource", "id", "name", "sqlQueryId", "type"];

/// What a row says of itself: it is a text, or an object with these members
#[derive(Debug)]
pub(super) struct Row<'a> {
    itself: Option<Cow<'a, str>>,
    members: [Said<'a>; TELLING.len()],
}

/// What is said in place of a member
#[derive(Clone, Debug, Default)]
enum Said<'a> {
    #[default]
    Nothing,
    Text(Cow<'a, str>),
    /// Something else, or it stands twice
    Unreadable,
}

impl<'a> Row<'a> {
    /// All of these bytes
    pub(super) fn of(bytes: &'a [u8]) -> Result<Self, NoList> {
        serde_json::from_slice(bytes).map_err(|_| NoList::Element)
    }

    /// The row with which these bytes begin, and how long it is, where all of it is there
    pub(super) fn first(bytes: &'a [u8]) -> Option<(Self, usize)> {
        let mut rows = serde_json::Deserializer::from_slice(bytes).into_iter();
        let row = rows.next()?.ok()?;
        Some((row, rows.byte_offset()))
    }

    /// The text that it is, or has as this member
    pub(super) fn name(&self, member: &str) -> Result<&str, NoList> {
        self.itself.as_deref().map_or_else(|| self.text(member)?.ok_or(NoList::Element), Ok)
    }

    /// The text of a member, where it is there
    pub(super) fn text(&self, member: &str) -> Result<Option<&str>, NoList> {
        let mut said = TELLING.iter().zip(&self.members).filter(|(name, _)| **name == member);
        match said.next() {
            Some((_, Said::Text(text))) => Ok(Some(text)),
            Some((_, Said::Nothing)) => Ok(None),
            Some((_, Said::Unreadable)) | None => Err(NoList::Element),
        }
    }
}

impl<'de> Deserialize<'de> for Row<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfRow;
        impl<'de> Visitor<'de> for OfRow {
            type Value = Row<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a text, or an object")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Row<'de>, E> {
                Ok(Row { itself: Some(Cow::Borrowed(text)), members: Default::default() })
            }

            fn visit_str<E>(self, text: &str) -> Result<Row<'de>, E> {
                Ok(Row { itself: Some(Cow::Owned(text.to_owned())), members: Default::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Row<'de>, A::Error> {
                let mut members: [Said<'de>; TELLING.len()] = Default::default();
                while let Some(Telling(place)) = object.next_key()? {
                    match place.and_then(|place| members.get_mut(place)) {
                        None => {
                            object.next_value::<IgnoredAny>()?;
                        }
                        Some(said @ Said::Nothing) => *said = object.next_value()?,
                        Some(said) => {
                            object.next_value::<IgnoredAny>()?;
                            *said = Said::Unreadable;
                        }
                    }
                }
                Ok(Row { itself: None, members })
            }
        }
        deserializer.deserialize_any(OfRow)
    }
}

impl<'de> Deserialize<'de> for Said<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfSaid;
        impl<'de> Visitor<'de> for OfSaid {
            type Value = Said<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("anything")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Said<'de>, E> {
                Ok(Said::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Said<'de>, E> {
                Ok(Said::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_unit<E>(self) -> Result<Said<'de>, E> {
                Ok(Said::Nothing)
            }

            fn visit_bool<E>(self, _: bool) -> Result<Said<'de>, E> {
                Ok(Said::Unreadable)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Said<'de>, E> {
                Ok(Said::Unreadable)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Said<'de>, E> {
                Ok(Said::Unreadable)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Said<'de>, E> {
                Ok(Said::Unreadable)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Said<'de>, A::Error> {
                IgnoredAny.visit_seq(list).map(|_| Said::Unreadable)
            }

            fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Said<'de>, A::Error> {
                IgnoredAny.visit_map(object).map(|_| Said::Unreadable)
            }
        }
        deserializer.deserialize_any(OfSaid)
    }
}

/// The place in [`TELLING`] of a member's name
struct Telling(Option<usize>);

impl<'de> Deserialize<'de> for Telling {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfName;
        impl Visitor<'_> for OfName {
            type Value = Telling;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a name")
            }

            fn visit_str<E>(self, name: &str) -> Result<Telling, E> {
                Ok(Telling(TELLING.iter().position(|telling| *telling == name)))
            }
        }
        deserializer.deserialize_str(OfName)
    }
}
