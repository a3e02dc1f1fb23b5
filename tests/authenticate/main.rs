//! Forged, broken and borrowed tokens against the whole of authentication, in process

#![expect(clippy::print_stderr, reason = "counts and skips are told to whoever runs the tests")]

#[cfg(test)]
#[path = "../support/issuer.rs"]
mod issuer;
#[cfg(test)]
#[path = "../support/recipe.rs"]
mod recipe;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod flips;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod key_sets;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod shapes;
#[cfg(test)]
mod wycheproof;
