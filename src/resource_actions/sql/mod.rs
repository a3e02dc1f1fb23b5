//! SQL: from the text of a statement to what it needs
//!
//! Pure and synchronous; no statement is run, planned or looked up. The life of a statement:
//!
//! 1. `lexer` splits the text exactly as Druid's grammar does, within `limits` (`hint`: what begins with `/*+`);
//!    `token` decodes the pieces;
//! 2. `statement` takes the request apart: `SET`s, EXPLAIN, target, query, clustering;
//! 3. `rewrite` turns the query into a small language, of which `skeleton` leaves out what names nothing, and sqlparser
//!    (`dialect`) reads that;
//! 4. `walk` goes through the tree and notes what is mentioned; `second_reader` counts the
//!    same in the tokens as they came, and where the two differ the statement is refused;
//! 5. `needs` says what that asks under the rules, `forwarded` prints what Druid gets.

mod second_reader;
mod cursor;
mod depth;
mod dialect;
mod form;
mod forwarded;
mod hint;
mod input_source;
mod judge;
mod rewritten;
mod keyword;
mod lexeme;
mod lexer;
mod limits;
mod literal;
mod mention;
mod needs;
mod objection;
mod parameter;
mod refusal;
mod rewrite;
mod scope;
mod setting;
mod shape;
mod skeleton;
mod statement;
mod table_function;
mod token;
mod value;
mod walk;

pub use judge::{JUDGE_STACK_BYTES, Judgement, SqlStatement, StatementKind, judge, judge_by};
pub use lexer::pieces;
pub use limits::SqlLimits;
pub use parameter::{Parameter, ParameterValue};
pub use refusal::{Position, SqlRefusal, SqlRefusalClass};
pub use skeleton::Reading;
