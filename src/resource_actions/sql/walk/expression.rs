//! Expressions, in which queries and lookups may stand

use sqlparser::ast::{Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments};

use super::super::mention::{Mention, is_lookup};
use super::super::objection::{Objection, Walked, absent};
use super::super::value;
use super::Walker;
use super::name::{object_name, quoted};

impl Walker {
    pub(super) fn expressions(&mut self, expressions: &[Expr]) -> Walked {
        expressions.iter().try_for_each(|expression| self.expression(expression))
    }

    #[rustfmt::skip]
    pub(super) fn expression(&mut self, expression: &Expr) -> Walked {
        match expression {
            Expr::Identifier(name) => quoted(name).map(|_| ()),
            Expr::CompoundIdentifier(names) => names.iter().try_for_each(|name| quoted(name).map(|_| ())),
            Expr::Value(_) => Ok(()),
            Expr::Nested(inner) => self.expression(inner),
            Expr::Tuple(items) => self.expressions(items),
            Expr::Array(operands) => self.expressions(&operands.elem),
            Expr::Subquery(query) => self.query(query),
            Expr::Function(function) => self.function(function),
            Expr::CompoundFieldAccess { .. } | Expr::JsonAccess { .. } | Expr::IsFalse(_) | Expr::IsNotFalse(_)
            | Expr::IsTrue(_) | Expr::IsNotTrue(_) | Expr::IsNull(_) | Expr::IsNotNull(_) | Expr::IsUnknown(_)
            | Expr::IsNotUnknown(_) | Expr::IsDistinctFrom(..) | Expr::IsNotDistinctFrom(..)
            | Expr::IsJson { .. } | Expr::IsNormalized { .. } | Expr::InList { .. } | Expr::InSubquery { .. }
            | Expr::InUnnest { .. } | Expr::Between { .. } | Expr::BinaryOp { .. } | Expr::Like { .. }
            | Expr::ILike { .. } | Expr::SimilarTo { .. } | Expr::RLike { .. } | Expr::AnyOp { .. }
            | Expr::AllOp { .. } | Expr::UnaryOp { .. } | Expr::Convert { .. } | Expr::Cast { .. }
            | Expr::AtTimeZone { .. } | Expr::Extract { .. } | Expr::Ceil { .. } | Expr::Floor { .. }
            | Expr::Position { .. } | Expr::Substring { .. } | Expr::Trim { .. } | Expr::Overlay { .. }
            | Expr::Collate { .. } | Expr::Prefixed { .. } | Expr::TypedString(_) | Expr::Case { .. }
            | Expr::Exists { .. } | Expr::GroupingSets(_) | Expr::Cube(_) | Expr::Rollup(_)
            | Expr::Struct { .. } | Expr::Named { .. } | Expr::Dictionary(_) | Expr::Map(_) | Expr::Interval(_)
            | Expr::MatchAgainst { .. } | Expr::Wildcard(_) | Expr::QualifiedWildcard(..) | Expr::OuterJoin(_)
            | Expr::Prior(_) | Expr::Lambda(_) | Expr::MemberOf(_) => {
                Err(Objection::Node("a kind of expression"))
            }
        }
    }

    fn function(&mut self, function: &Function) -> Walked {
        let Function { name, uses_odbc_syntax, parameters, args, within_group, filter, null_treatment, over } =
            function;
        absent(!uses_odbc_syntax && within_group.is_empty() && filter.is_none(), "a word after a function")?;
        absent(
            null_treatment.is_none() && over.is_none() && *parameters == FunctionArguments::None,
            "a word after a function",
        )?;
        let name = object_name(name)?;
        let [name] = name.as_slice() else {
            return Err(Objection::Node("a function with a name of several parts"));
        };
        let FunctionArguments::List(FunctionArgumentList { duplicate_treatment, args, clauses }) = args
        else {
            return Err(Objection::Node("a kind of arguments"));
        };
        absent(duplicate_treatment.is_none() && clauses.is_empty(), "a word after a function")?;
        if is_lookup(name) {
            self.lookup(args);
        }
        args.iter().try_for_each(|argument| self.argument(argument))
    }

    /// `LOOKUP(expression, 'name' [, …])` (`LookupOperatorConversion`)
    fn lookup(&mut self, args: &[FunctionArg]) {
        self.findings.counts.lookups += 1;
        let name = args.get(1).and_then(value::text);
        let mention = name.map_or(Mention::UndecidedLookup, |name| Mention::Lookup(name.to_owned()));
        self.findings.mentions.push(mention);
    }

    pub(super) fn argument(&mut self, argument: &FunctionArg) -> Walked {
        let (FunctionArg::Named { name: _, arg, operator: _ } | FunctionArg::Unnamed(arg)) = argument else {
            return Err(Objection::Node("a kind of argument"));
        };
        match arg {
            FunctionArgExpr::Expr(expression) => self.expression(expression),
            FunctionArgExpr::Wildcard | FunctionArgExpr::QualifiedWildcard(_) => Ok(()),
            FunctionArgExpr::WildcardWithOptions(_) => Err(Objection::Node("a kind of wildcard")),
        }
    }
}
