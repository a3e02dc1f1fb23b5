//! What the gate says itself: refusals, explanations, answers of its own

pub mod explain;
pub mod own_answers;
pub mod refusal;
pub mod respond;
pub mod shape;
