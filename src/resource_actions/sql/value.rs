//! The string literals among the arguments of a function

use sqlparser::ast::{Expr, FunctionArg, FunctionArgExpr, Value};

/// The string that this argument is, where it surely is one that may name something
pub(super) fn text(argument: &FunctionArg) -> Option<&str> {
    let (FunctionArg::Named { arg, .. } | FunctionArg::Unnamed(arg)) = argument else {
        return None;
    };
    let FunctionArgExpr::Expr(Expr::Value(value)) = arg else {
        return None;
    };
    if let Value::SingleQuotedString(text) = &value.value { Some(text) } else { None }
}

/// The name before `=>`, if there is one
pub(super) fn name(argument: &FunctionArg) -> Option<&str> {
    if let FunctionArg::Named { name, .. } = argument { Some(&name.value) } else { None }
}
