//! What must be found out besides the request itself: a statement's judgement, a task's owner, what Druid plans

pub mod judge;
pub mod overlord;
pub mod running;
pub mod supervisors;
pub mod tasks;
pub mod verify;
