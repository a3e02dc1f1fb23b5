//! The string literals among the arguments of a function

use sqlparser::ast::{Expr, FunctionArg, FunctionArgExpr, FunctionArguments, ObjectNamePart, Value};

/// The string that this argument is, where it surely is one that may name something
pub(super) fn text(argument: &FunctionArg) -> Option<&str> {
    let (FunctionArg::Named { arg, .. } | FunctionArg::Unnamed(arg)) = argument else {
        return None;
    };
    let FunctionArgExpr::Expr(expression) = arg else {
        return None;
    };
    literal(expression)
}

/// The strings that this argument is a list of, or the one that it is
pub(super) fn texts(argument: &FunctionArg) -> Option<Vec<&str>> {
    let (FunctionArg::Named { arg, .. } | FunctionArg::Unnamed(arg)) = argument else {
        return None;
    };
    let FunctionArgExpr::Expr(Expr::Function(function)) = arg else {
        return text(argument).map(|text| vec![text]);
    };
    // `ARRAY['a']` stands as a call.
    let [ObjectNamePart::Identifier(called)] = function.name.0.as_slice() else { return None };
    let is_array = called.value.eq_ignore_ascii_case("ARRAY");
    let FunctionArguments::List(list) = &function.args else { return None };
    let item = |item| text(item).filter(|_| is_array && name(item).is_none());
    list.args.iter().map(item).collect()
}

/// Parentheses around a literal are nothing to Calcite
fn literal(mut expression: &Expr) -> Option<&str> {
    while let Expr::Nested(inner) = expression {
        expression = inner;
    }
    let Expr::Value(value) = expression else {
        return None;
    };
    if let Value::SingleQuotedString(text) = &value.value { Some(text) } else { None }
}

/// The name before `=>`, if there is one
pub(super) fn name(argument: &FunctionArg) -> Option<&str> {
    if let FunctionArg::Named { name, .. } = argument { Some(&name.value) } else { None }
}

/// Whether this argument is the name of a column
pub(super) fn is_column(argument: &FunctionArg) -> bool {
    matches!(
        argument,
        FunctionArg::Named { arg: FunctionArgExpr::Expr(Expr::Identifier(_)), .. }
            | FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Identifier(_)))
    )
}
