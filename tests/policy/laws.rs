//! Properties of the decision, named as theorems, on generated policies, callers and needs

use std::collections::BTreeSet;
use std::sync::LazyLock;

use msq_gate::authorize::permission::Permission;
use msq_gate::authorize::policy::{Member, Policy, Role};
use msq_gate::authorize::{Caller, Verdict, verdict};
use msq_gate::druid::{Action, Owner, ResourceAction, ResourceActions, ResourceType};
use msq_gate::resource_actions::Needed;

/// A small generator with a seed, so that a failure can be seen again (xorshift)
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(sides).unwrap()).unwrap()
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.roll(of.len())]
    }
}

const NAMES: [&str; 4] = ["a", "ab", "b", "__query_select"];
const PATTERNS: [&str; 6] = ["a", "ab", "*", "glob:a*", "regex:a|b", "regex:.*b"];
const TYPES: [ResourceType; 3] = [ResourceType::Datasource, ResourceType::External, ResourceType::State];
const ROLES: [&str; 3] = ["r0", "r1", "r2"];

/// Every permission that can be rolled; read once, since a pattern takes longer to read than to try
static POOL: LazyLock<Vec<Permission>> = LazyLock::new(|| {
    let mut pool = Vec::new();
    for actions in ["READ", "WRITE", "READ WRITE"] {
        for kind in TYPES.map(ResourceType::word) {
            pool.extend(
                PATTERNS.map(|pattern| Permission::parse(&format!("{actions} {kind} {pattern}")).unwrap()),
            );
        }
    }
    pool
});

fn permissions(dice: &mut Dice, most: usize) -> Vec<Permission> {
    let count = dice.roll(most + 1);
    (0..count).map(|_| dice.one(&POOL).clone()).collect()
}

fn policy(dice: &mut Dice) -> Policy {
    let role = |name: &&str| {
        let members = if dice.roll(3) == 0 { vec![member("i", "alice")] } else { Vec::new() };
        let denies = if dice.roll(2) == 0 { permissions(dice, 2) } else { Vec::new() };
        Role { name: (*name).to_owned(), members, grants: permissions(dice, 3), denies, line: 1 }
    };
    Policy::new(ROLES.iter().map(role).collect())
}

fn member(issuer: &str, identity: &str) -> Member {
    Member { issuer: issuer.to_owned(), identity: identity.to_owned() }
}

fn needs(dice: &mut Dice) -> BTreeSet<ResourceAction> {
    let count = 1 + dice.roll(3);
    (0..count)
        .map(|_| {
            let action = *dice.one(&Action::ALL);
            ResourceAction::new(action, *dice.one(&TYPES), *dice.one(&NAMES))
        })
        .collect()
}

fn claimed(dice: &mut Dice) -> Vec<String> {
    ROLES.iter().filter(|_| dice.roll(2) == 0).map(|role| (*role).to_owned()).collect()
}

fn permits(needs: &Needed, caller: &Caller, policy: &Policy) -> bool {
    verdict(needs, caller, policy).0 == Verdict::Permit
}

fn all(needs: &BTreeSet<ResourceAction>) -> Needed {
    Needed::All(ResourceActions::new(needs.clone()).unwrap())
}

/// Ten thousand rolls of everything
fn always(law: impl Fn(&mut Dice, &Policy, &Caller, &BTreeSet<ResourceAction>)) {
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    for _ in 0..10_000 {
        let policy = policy(&mut dice);
        let identity = *dice.one(&["alice", "bob"]);
        let caller = Caller::supposed("i", identity, claimed(&mut dice));
        let needs = needs(&mut dice);
        law(&mut dice, &policy, &caller, &needs);
    }
}

/// The decision written a second time, as naively as it can be
fn naive(policy: &Policy, roles: &[String], identity: &str, needs: &BTreeSet<ResourceAction>) -> bool {
    let mut mine = Vec::new();
    for role in policy.roles() {
        if roles.contains(&role.name) || role.members.contains(&member("i", identity)) {
            mine.push(role);
        }
    }
    for need in needs {
        let mut granted = false;
        let mut denied = false;
        for role in &mine {
            for grant in &role.grants {
                granted |= grant.covers(need);
            }
            for deny in &role.denies {
                denied |= deny.covers(need);
            }
        }
        if !granted || denied {
            return false;
        }
    }
    true
}

#[test]
fn it_agrees_with_a_naive_decision() {
    let mut dice = Dice(42);
    for _ in 0..10_000 {
        let policy = policy(&mut dice);
        let identity = *dice.one(&["alice", "bob"]);
        let roles = claimed(&mut dice);
        let needs = needs(&mut dice);
        let caller = Caller::supposed("i", identity, roles.clone());
        assert_eq!(permits(&all(&needs), &caller, &policy), naive(&policy, &roles, identity, &needs));
    }
}

#[test]
fn what_nobody_granted_is_denied() {
    always(|_, _, caller, needs| assert!(!permits(&all(needs), caller, &Policy::default())));
}

#[test]
fn a_deny_trumps_every_grant() {
    always(|dice, policy, caller, needs| {
        let need = needs.iter().nth(dice.roll(needs.len())).unwrap();
        let mut roles: Vec<_> = policy.roles().iter().map(|role| (**role).clone()).collect();
        let deny =
            format!("{} {} exact:{}", need.action.word(), need.resource.kind.word(), need.resource.name);
        let everywhere = vec![Permission::parse(&deny).unwrap()];
        roles.iter_mut().for_each(|role| role.denies = everywhere.clone());
        assert!(!permits(&all(needs), caller, &Policy::new(roles)));
    });
}

#[test]
fn needing_more_never_permits_more() {
    always(|dice, policy, caller, few| {
        let mut more = few.clone();
        more.extend(needs(dice));
        assert!(!permits(&all(&more), caller, policy) || permits(&all(few), caller, policy));
    });
}

#[test]
fn holding_another_role_without_denies_never_permits_less() {
    always(|dice, policy, _, needs| {
        let mut roles: Vec<_> = policy.roles().iter().map(|role| (**role).clone()).collect();
        roles.iter_mut().for_each(|role| role.denies.clear());
        let policy = Policy::new(roles);
        let few = claimed(dice);
        let mut more = few.clone();
        more.push((*dice.one(&ROLES)).to_owned());
        let may =
            |roles: &[String]| permits(&all(needs), &Caller::supposed("i", "bob", roles.to_vec()), &policy);
        assert!(!may(&few) || may(&more));
    });
}

#[test]
fn a_role_that_the_policy_does_not_know_confers_nothing() {
    always(|_, policy, _, needs| {
        let without = Caller::supposed("i", "bob", Vec::new());
        let with = Caller::supposed("i", "bob", vec!["admin".to_owned(), "R0".to_owned(), String::new()]);
        assert_eq!(permits(&all(needs), &without, policy), permits(&all(needs), &with, policy));
    });
}

#[test]
fn the_submitter_is_one_person_of_one_issuer() {
    always(|_, policy, _, needs| {
        let otherwise = ResourceActions::new(needs.clone()).unwrap();
        let owned = Needed::SubmitterOr { submitter: Some(Owner::new("i", "carol")), otherwise };
        let may = |issuer: &str, identity: &str| {
            permits(&owned, &Caller::supposed(issuer, identity, Vec::new()), policy)
        };
        assert!(may("i", "carol"));
        for (issuer, identity) in
            [("j", "carol"), ("i", "Carol"), ("i", "carol "), ("", "i|carol"), ("i|carol", "")]
        {
            assert!(!may(issuer, identity), "{issuer} {identity}");
        }
    });
}
