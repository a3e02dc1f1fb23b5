//! Which roles have a permission that covers something, without asking each of them

use std::collections::HashMap;

use super::permission::Permission;
use crate::druid::{Action, ResourceAction, ResourceType};

/// The permissions of all roles: exact names by themselves, all others one by one, each once
#[derive(Debug)]
pub(super) struct Covering {
    /// What of a permission counts: what it grants, or what it denies
    takes_in: fn(&Permission, &ResourceAction) -> bool,
    /// The places of the roles, in order, by what one of their permissions names
    exact: HashMap<ResourceAction, Vec<usize>>,
    others: HashMap<(Action, ResourceType), Vec<Other>>,
}

/// A permission that is no exact name, and the places of the roles that have it
type Other = (Permission, Vec<usize>);

impl Covering {
    /// Of these roles, in the order of their places
    pub(super) fn of<'p>(
        roles: impl Iterator<Item = &'p [Permission]>,
        takes_in: fn(&Permission, &ResourceAction) -> bool,
    ) -> Self {
        let mut covering = Self { takes_in, exact: HashMap::new(), others: HashMap::new() };
        let mut known = HashMap::new();
        for (place, permissions) in roles.enumerate() {
            for permission in permissions {
                covering.add(permission, place, &mut known);
            }
        }
        covering
    }

    fn add<'p>(
        &mut self,
        permission: &'p Permission,
        place: usize,
        known: &mut HashMap<(Action, ResourceType, &'p str), usize>,
    ) {
        // Of external input a name may say less than it covers.
        if permission.is_exact() && permission.kind() != ResourceType::External {
            for needed in permission.exact_resource_actions() {
                note(self.exact.entry(needed).or_default(), place);
            }
            return;
        }
        for action in permission.actions() {
            let others = self.others.entry((*action, permission.kind())).or_default();
            let key = (*action, permission.kind(), permission.written_name());
            let number = *known.entry(key).or_insert_with(|| {
                others.push((permission.clone(), Vec::new()));
                others.len() - 1
            });
            if let Some((_, places)) = others.get_mut(number) {
                note(places, place);
            }
        }
    }

    /// Whether there are none
    pub(super) fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.others.is_empty()
    }

    /// The first of these places, which are in order, whose role has one that covers this
    pub(super) fn first_of(&self, needed: &ResourceAction, places: &[usize]) -> Option<usize> {
        let exact = self.exact.get(needed).and_then(|holders| first_common(holders, places));
        // One is asked only whom it concerns, and where it could come before what was found.
        self.others(needed).fold(exact, |first, (permission, holders)| {
            let is_earlier = |place: &usize| first.is_none_or(|first| *place < first);
            let common = first_common(holders, places).filter(is_earlier);
            common.filter(|_| (self.takes_in)(permission, needed)).or(first)
        })
    }

    /// The places of all roles that have one that covers this
    pub(super) fn places(&self, needed: &ResourceAction) -> Vec<usize> {
        let mut places = self.exact.get(needed).cloned().unwrap_or_default();
        let others = self.others(needed).filter(|(permission, _)| (self.takes_in)(permission, needed));
        places.extend(others.flat_map(|(_, holders)| holders));
        places
    }

    fn others(&self, needed: &ResourceAction) -> impl Iterator<Item = &Other> {
        self.others.get(&(needed.action, needed.resource.kind)).into_iter().flatten()
    }
}

/// Notes a place behind those before it, once
fn note(places: &mut Vec<usize>, place: usize) {
    if places.last() != Some(&place) {
        places.push(place);
    }
}

/// The first number that two ordered lists share
fn first_common(one: &[usize], other: &[usize]) -> Option<usize> {
    let (short, long) = if one.len() < other.len() { (one, other) } else { (other, one) };
    short.iter().copied().find(|place| long.binary_search(place).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::druid::place::Scheme;
    use crate::druid::{Place, Reach};

    /// As if each role were asked for itself
    #[test]
    fn whoever_is_found_is_whoever_says_of_himself_that_he_covers_it() {
        let names = ["a", "b", "*", "glob:a*", "regex:b|c", "exact:*", "EXTERNAL", "s3"];
        let places = ["READ EXTERNAL s3://a/b/*", "READ EXTERNAL s3://a/b/c", "READ EXTERNAL https://a/*"];
        let reaches = [
            Reach::Unknown,
            Reach::Nowhere,
            Reach::At(Place::of_object(Scheme::S3, "a", "b/c").unwrap()),
            Reach::At(Place::below_uri("s3://a/b/", &[Scheme::S3]).unwrap()),
        ];
        let mut number = 7_u32;
        let mut below = |bound: usize| {
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            usize::try_from(number >> 16).unwrap() % bound
        };
        for _ in 0..200 {
            let mut role = || {
                let kinds = ["READ DATASOURCE", "READ WRITE DATASOURCE", "READ EXTERNAL", "WRITE VIEW"];
                let mut sentence = || match below(4) {
                    0 => places[below(3)].to_owned(),
                    _ => format!("{} {}", kinds[below(4)], names[below(8)]),
                };
                (0..3).map(|_| Permission::parse(&sentence()).unwrap()).collect::<Vec<_>>()
            };
            let roles: Vec<_> = (0..6).map(|_| role()).collect();
            let takes_in = [Permission::covers, Permission::denies][below(2)];
            let covering = Covering::of(roles.iter().map(Vec::as_slice), takes_in);
            let held = [1, 2, 4];
            for action in Action::ALL {
                for kind in ResourceType::ALL {
                    for name in ["a", "ab", "b", "c", "*", "EXTERNAL", "s3"] {
                        let needed = ResourceAction::new(action, kind, name).reaching(match kind {
                            ResourceType::External => reaches[below(4)].clone(),
                            ResourceType::Config
                            | ResourceType::Datasource
                            | ResourceType::Lookup
                            | ResourceType::QueryContext
                            | ResourceType::State
                            | ResourceType::SystemTable
                            | ResourceType::View => Reach::Unknown,
                        });
                        let asked = |place: &usize| roles[*place].iter().any(|role| takes_in(role, &needed));
                        let all: Vec<_> = (0..6).filter(asked).collect();
                        let mut found = covering.places(&needed);
                        found.sort_unstable();
                        found.dedup();
                        assert_eq!(found, all, "{needed}");
                        assert_eq!(
                            covering.first_of(&needed, &held),
                            held.into_iter().find(|place| all.contains(place)),
                            "{needed}"
                        );
                    }
                }
            }
        }
    }
}
