//! The first reader: walks a parsed query and notes what it mentions
//!
//! Names resolve as in Calcite's `SqlValidatorImpl` under Druid's catalogue: a name of one part is a common
//! table expression in scope or a datasource, a name of two parts is never the former. Every kind
//! of node is named; a kind that rewriting does not write is refused.

use sqlparser::ast::{
    Cte, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, GroupByExpr,
    Ident, Join, JoinConstraint, JoinOperator, NamedWindowDefinition, NamedWindowExpr, ObjectName,
    ObjectNamePart, OrderBy, OrderByExpr, OrderByKind, OrderByOptions, Query, Select, SelectFlavor,
    SelectItem, SelectItemQualifiedWildcardKind, SetExpr, SetOperator, TableAlias, TableFactor,
    TableFunctionArgs, TableWithJoins, WildcardAdditionalOptions, WindowSpec, With,
};

use super::kernel::Mark;
use super::mention::{Census, Mention};
use super::scope::Scope;
use super::shape::{Layers, is_marked};
use super::table_function;
use super::value;

/// What a query mentions, and the count of the places where it does
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) mentions: Vec<Mention>,
    pub(super) census: Census,
}

/// What the walk does not let through
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Objection {
    /// A kind of node that has no place in a query of Druid SQL; the name of the kind
    Node(&'static str),
    /// A table name that Druid does not resolve
    UnknownTable(String),
    /// A function in the place of a table that Druid does not know
    UnknownTableFunction(String),
    /// Arguments of a table function from which it cannot be told what it reads
    Undecided(String),
}

type Walked = Result<(), Objection>;

/// Walks a query
pub(super) fn walk(query: &Query) -> Result<Findings, Objection> {
    let mut walker = Walker { scope: Scope::default(), findings: Findings::default() };
    walker.query(query)?;
    let Findings { mentions, census } = walker.findings;
    Ok(Findings { mentions, census: census.sorted() })
}

struct Walker {
    scope: Scope,
    findings: Findings,
}

/// An item of WITH RECURSIVE
struct Item<'q> {
    name: &'q str,
    /// What is in scope around it
    around: usize,
}

/// Refuses what is there and should not be
pub(super) fn absent(is_absent: bool, what: &'static str) -> Walked {
    if is_absent { Ok(()) } else { Err(Objection::Node(what)) }
}

/// Queries
impl Walker {
    fn query(&mut self, query: &Query) -> Walked {
        let layers = Layers::of(query)?;
        let around = self.scope.mark();
        self.with(layers.with)?;
        self.set_expression(layers.body)?;
        if !layers.order_sees_with()? {
            self.scope.back_to(around);
        }
        layers.order_by.map_or(Ok(()), |order_by| self.order_by(order_by))?;
        self.scope.back_to(around);
        Ok(())
    }

    fn with(&mut self, with: Option<&With>) -> Walked {
        let Some(With { with_token: _, recursive, cte_tables }) = with else { return Ok(()) };
        for item in cte_tables {
            let Cte { alias, query, from, materialized, closing_paren_token: _ } = item;
            absent(from.is_none() && materialized.is_none(), "a common table expression")?;
            let name = alias_name(alias)?;
            if *recursive {
                self.recursive_item(&Item { name, around: self.scope.mark() }, query)?
            } else {
                self.query(query)?
            }
            self.scope.push(name);
        }
        Ok(())
    }

    /// Under RECURSIVE, the right branch of a union at the top sees the item itself, and of all other names those
    /// around the item (`SqlValidatorImpl.registerSetop`)
    fn recursive_item(&mut self, item: &Item<'_>, query: &Query) -> Walked {
        let layers = Layers::of(query)?;
        if layers.order_by.is_some() {
            return self.query(query);
        }
        let around = self.scope.mark();
        self.with(layers.with)?;
        if let SetExpr::Query(body) = layers.body {
            self.recursive_item(item, body)?;
        } else if let SetExpr::SetOperation { left, op: SetOperator::Union, set_quantifier: _, right } =
            layers.body
        {
            self.set_expression(left)?;
            self.recursive_branch(item, right)?;
        } else {
            self.set_expression(layers.body)?;
        }
        self.scope.back_to(around);
        Ok(())
    }

    fn recursive_branch(&mut self, item: &Item<'_>, branch: &SetExpr) -> Walked {
        let hidden = self.scope.hide_from(item.around);
        self.scope.push(item.name);
        self.set_expression(branch)?;
        self.scope.back_to(item.around);
        self.scope.show(hidden);
        Ok(())
    }

    /// Goes down the left side without recursion: that is where long chains are
    fn set_expression(&mut self, expression: &SetExpr) -> Walked {
        let mut branches = Vec::new();
        let mut leaf = expression;
        while let SetExpr::SetOperation { left, op: _, set_quantifier: _, right } = leaf {
            branches.push(right);
            leaf = left;
        }
        self.branch(leaf)?;
        branches.into_iter().rev().try_for_each(|branch| self.set_expression(branch))
    }

    fn branch(&mut self, branch: &SetExpr) -> Walked {
        match branch {
            SetExpr::Select(_) if is_marked(branch, Mark::Nothing) => Ok(()),
            SetExpr::Select(select) => self.select(select),
            SetExpr::Query(query) => self.query(query),
            SetExpr::SetOperation { .. } => self.set_expression(branch),
            SetExpr::Values(_)
            | SetExpr::Insert(_)
            | SetExpr::Update(_)
            | SetExpr::Delete(_)
            | SetExpr::Merge(_)
            | SetExpr::Table(_) => Err(Objection::Node("a kind of query")),
        }
    }

    fn select(&mut self, select: &Select) -> Walked {
        let Select {
            select_token: _,
            optimizer_hints,
            distinct,
            select_modifiers,
            top,
            top_before_distinct: _,
            projection,
            exclude,
            into,
            from,
            lateral_views,
            prewhere,
            selection,
            connect_by,
            group_by,
            cluster_by,
            distribute_by,
            sort_by,
            having,
            named_window,
            qualify,
            window_before_qualify: _,
            value_table_mode,
            flavor,
        } = select;
        absent(
            optimizer_hints.is_empty() && distinct.is_none() && select_modifiers.is_none() && top.is_none(),
            "a word after SELECT",
        )?;
        absent(
            exclude.is_none() && into.is_none() && lateral_views.is_empty() && prewhere.is_none(),
            "a clause",
        )?;
        absent(
            connect_by.is_empty() && cluster_by.is_empty() && distribute_by.is_empty() && sort_by.is_empty(),
            "a clause",
        )?;
        absent(value_table_mode.is_none() && *flavor == SelectFlavor::Standard, "a clause")?;
        self.findings.census.selects += 1;
        from.iter().try_for_each(|table| self.table_with_joins(table))?;
        projection.iter().try_for_each(|item| self.select_item(item))?;
        [selection, having, qualify]
            .into_iter()
            .flatten()
            .try_for_each(|condition| self.expression(condition))?;
        self.group_by(group_by)?;
        named_window.iter().try_for_each(|window| self.named_window(window))
    }

    fn select_item(&mut self, item: &SelectItem) -> Walked {
        match item {
            SelectItem::UnnamedExpr(expression)
            | SelectItem::ExprWithAlias { expr: expression, alias: _ } => self.expression(expression),
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(_), options)
            | SelectItem::Wildcard(options) => plain_wildcard(options),
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::Expr(_), _)
            | SelectItem::ExprWithAliases { .. } => Err(Objection::Node("an item of SELECT")),
        }
    }

    fn group_by(&mut self, group_by: &GroupByExpr) -> Walked {
        match group_by {
            GroupByExpr::Expressions(expressions, modifiers) => {
                absent(modifiers.is_empty(), "a word after GROUP BY")?;
                expressions.iter().try_for_each(|expression| self.expression(expression))
            }
            GroupByExpr::All(_) => Err(Objection::Node("GROUP BY ALL")),
        }
    }

    fn order_by(&mut self, order_by: &OrderBy) -> Walked {
        let OrderBy { kind, interpolate } = order_by;
        absent(interpolate.is_none(), "a word after ORDER BY")?;
        match kind {
            OrderByKind::Expressions(items) => items.iter().try_for_each(|item| self.order_by_item(item)),
            OrderByKind::All(_) => Err(Objection::Node("ORDER BY ALL")),
        }
    }

    fn order_by_item(&mut self, item: &OrderByExpr) -> Walked {
        let OrderByExpr { expr, options: OrderByOptions { sort, nulls_first }, with_fill } = item;
        absent(sort.is_none() && nulls_first.is_none() && with_fill.is_none(), "a word after ORDER BY")?;
        self.expression(expr)
    }

    fn named_window(&mut self, window: &NamedWindowDefinition) -> Walked {
        let NamedWindowDefinition(_, definition) = window;
        match definition {
            NamedWindowExpr::NamedWindow(_) => Ok(()),
            NamedWindowExpr::WindowSpec(WindowSpec {
                window_name: _,
                partition_by,
                order_by,
                window_frame,
            }) => {
                absent(window_frame.is_none(), "a window frame")?;
                partition_by.iter().try_for_each(|expression| self.expression(expression))?;
                order_by.iter().try_for_each(|item| self.order_by_item(item))
            }
        }
    }
}

/// Tables
impl Walker {
    fn table_with_joins(&mut self, table: &TableWithJoins) -> Walked {
        let TableWithJoins { relation, joins } = table;
        self.table(relation)?;
        joins.iter().try_for_each(|join| self.join(join))
    }

    fn join(&mut self, join: &Join) -> Walked {
        let Join { relation, global, join_operator } = join;
        absent(!global, "GLOBAL JOIN")?;
        self.table(relation)?;
        match join_operator {
            JoinOperator::Join(JoinConstraint::On(condition)) => self.expression(condition),
            JoinOperator::Join(JoinConstraint::Using(_) | JoinConstraint::None) => Ok(()),
            JoinOperator::Join(JoinConstraint::Natural)
            | JoinOperator::Inner(_)
            | JoinOperator::Left(_)
            | JoinOperator::LeftOuter(_)
            | JoinOperator::Right(_)
            | JoinOperator::RightOuter(_)
            | JoinOperator::FullOuter(_)
            | JoinOperator::CrossJoin(_)
            | JoinOperator::Semi(_)
            | JoinOperator::LeftSemi(_)
            | JoinOperator::RightSemi(_)
            | JoinOperator::Anti(_)
            | JoinOperator::LeftAnti(_)
            | JoinOperator::RightAnti(_)
            | JoinOperator::CrossApply
            | JoinOperator::OuterApply
            | JoinOperator::AsOf { .. }
            | JoinOperator::StraightJoin(_)
            | JoinOperator::ArrayJoin
            | JoinOperator::LeftArrayJoin
            | JoinOperator::InnerArrayJoin => Err(Objection::Node("a kind of join")),
        }
    }

    fn table(&mut self, table: &TableFactor) -> Walked {
        match table {
            TableFactor::Table {
                name,
                alias,
                args,
                with_hints,
                version,
                with_ordinality,
                partitions,
                json_path,
                sample,
                index_hints,
            } => {
                absent(
                    with_hints.is_empty() && version.is_none() && !with_ordinality && partitions.is_empty(),
                    "a word after a table",
                )?;
                absent(
                    json_path.is_none() && sample.is_none() && index_hints.is_empty(),
                    "a word after a table",
                )?;
                alias.as_ref().map_or(Ok(""), alias_name)?;
                let name = object_name(name)?;
                match args {
                    Some(args) => self.table_function(&name, args),
                    None => self.named_table(&name),
                }
            }
            TableFactor::Derived { lateral: _, subquery, alias, sample } => {
                absent(sample.is_none(), "a word after a table")?;
                alias.as_ref().map_or(Ok(""), alias_name)?;
                self.findings.census.derived += 1;
                self.query(subquery)
            }
            TableFactor::NestedJoin { table_with_joins, alias } => {
                alias.as_ref().map_or(Ok(""), alias_name)?;
                self.table_with_joins(table_with_joins)
            }
            TableFactor::TableFunction { .. }
            | TableFactor::Function { .. }
            | TableFactor::UNNEST { .. }
            | TableFactor::JsonTable { .. }
            | TableFactor::OpenJsonTable { .. }
            | TableFactor::Pivot { .. }
            | TableFactor::Unpivot { .. }
            | TableFactor::UnpivotExpr { .. }
            | TableFactor::MatchRecognize { .. }
            | TableFactor::XmlTable { .. }
            | TableFactor::SemanticView { .. } => Err(Objection::Node("a kind of table")),
        }
    }

    /// A name where a table stands (`CalciteSchema` lookup under Druid's root schema)
    fn named_table(&mut self, name: &[&str]) -> Walked {
        self.findings.census.tables.push(name.iter().map(|part| (*part).to_owned()).collect());
        let mention = match name {
            [cte] if self.scope.holds(cte) => return Ok(()),
            [datasource] | ["druid", datasource] => Mention::Datasource((*datasource).to_owned()),
            ["view", view] => Mention::View((*view).to_owned()),
            ["lookup", lookup] => Mention::Lookup((*lookup).to_owned()),
            ["sys", table] => Mention::SystemTable((*table).to_owned()),
            ["INFORMATION_SCHEMA", table] => Mention::InformationSchema((*table).to_owned()),
            _ => return Err(Objection::UnknownTable(name.join("."))),
        };
        self.findings.mentions.push(mention);
        Ok(())
    }

    /// A function where a table stands; names of functions count in either case
    fn table_function(&mut self, name: &[&str], args: &TableFunctionArgs) -> Walked {
        let TableFunctionArgs { args, settings } = args;
        absent(settings.is_none(), "settings")?;
        self.findings.census.table_functions.push(name.iter().map(|part| part.to_lowercase()).collect());
        let mentions = table_function::mentions(name, args)?;
        self.findings.mentions.extend(mentions);
        args.iter().try_for_each(|argument| self.argument(argument))
    }
}

/// Expressions
impl Walker {
    fn expressions(&mut self, expressions: &[Expr]) -> Walked {
        expressions.iter().try_for_each(|expression| self.expression(expression))
    }

    #[rustfmt::skip]
    fn expression(&mut self, expression: &Expr) -> Walked {
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
        if name.to_lowercase() == "lookup" {
            self.lookup(args);
        }
        args.iter().try_for_each(|argument| self.argument(argument))
    }

    /// `LOOKUP(expression, 'name' [, …])` (`LookupOperatorConversion`)
    fn lookup(&mut self, args: &[FunctionArg]) {
        self.findings.census.lookups += 1;
        let name = args.get(1).and_then(value::text);
        self.findings
            .mentions
            .push(name.map_or(Mention::UndecidedLookup, |name| Mention::Lookup(name.to_owned())));
    }

    fn argument(&mut self, argument: &FunctionArg) -> Walked {
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

/// The parts of a name, all quoted by rewriting
fn object_name(name: &ObjectName) -> Result<Vec<&str>, Objection> {
    let ObjectName(parts) = name;
    parts
        .iter()
        .map(|part| match part {
            ObjectNamePart::Identifier(name) => quoted(name),
            ObjectNamePart::Function(_) => Err(Objection::Node("a keyword as a name")),
        })
        .collect()
}

/// A name that rewriting wrote as one; a keyword that sqlparser took for a name is none
fn quoted(name: &Ident) -> Result<&str, Objection> {
    if name.quote_style == Some('"') { Ok(&name.value) } else { Err(Objection::Node("a keyword as a name")) }
}

fn alias_name(alias: &TableAlias) -> Result<&str, Objection> {
    let TableAlias { explicit: _, name, columns, at } = alias;
    absent(at.is_none() && columns.iter().all(|column| column.data_type.is_none()), "a kind of alias")?;
    quoted(name)
}

fn plain_wildcard(options: &WildcardAdditionalOptions) -> Walked {
    let WildcardAdditionalOptions {
        wildcard_token: _,
        opt_ilike,
        opt_exclude,
        opt_except,
        opt_replace,
        opt_rename,
        opt_alias,
    } = options;
    absent(opt_ilike.is_none() && opt_exclude.is_none() && opt_except.is_none(), "a kind of wildcard")?;
    absent(opt_replace.is_none() && opt_rename.is_none() && opt_alias.is_none(), "a kind of wildcard")
}

#[cfg(test)]
mod tests {
    use super::super::cursor::Cursor;
    use super::super::limits::SqlLimits;
    use super::super::{dialect, lexer, rewrite, token};
    use super::*;

    fn walked(text: &str) -> Result<Vec<Mention>, Objection> {
        let lexemes = lexer::read(text, &SqlLimits::default()).unwrap();
        let tokens = token::decode(text, &lexemes).unwrap();
        let rewritten = rewrite::rewrite(Cursor::new(text, &tokens), &[]).unwrap();
        walk(&dialect::read(rewritten, 100).unwrap()).map(|findings| findings.mentions)
    }

    /// The datasources that are read, in the order in which they are found
    fn datasources(text: &str) -> Vec<String> {
        let mentions = walked(text).unwrap().into_iter();
        mentions
            .map(|mention| if let Mention::Datasource(name) = mention { name } else { panic!("{mention:?}") })
            .collect()
    }

    #[test]
    fn common_table_expressions_hide_datasources_in_their_scope_only() {
        for (text, read) in [
            ("WITH c AS (SELECT 1 FROM c) SELECT 1 FROM c", vec!["c"]),
            ("WITH c AS (SELECT 1 FROM a), d AS (SELECT 1 FROM c) SELECT 1 FROM d, C", vec!["a", "C"]),
            ("SELECT 1 FROM (WITH c AS (SELECT 1) SELECT 1 FROM c) x, c", vec!["c"]),
            (
                "WITH c AS (SELECT 1) SELECT 1 FROM (WITH c AS (SELECT 1 FROM c) SELECT 1 FROM c) x, druid.c",
                vec!["c"],
            ),
            ("(WITH c AS (SELECT 1) SELECT 1 FROM c) UNION SELECT 1 FROM c", vec!["c"]),
        ] {
            assert_eq!(datasources(text), read, "{text}");
        }
    }

    #[test]
    fn a_recursive_item_is_seen_in_the_right_branch_of_its_union() {
        for (item, read) in [
            ("SELECT 1 FROM a UNION SELECT 1 FROM c", vec!["a"]),
            ("SELECT 1 FROM c UNION SELECT 1 FROM a", vec!["c", "a"]),
            ("SELECT 1 FROM a UNION SELECT 1 FROM c UNION SELECT 1 FROM b", vec!["a", "c", "b"]),
            ("SELECT 1 FROM a EXCEPT SELECT 1 FROM c", vec!["a", "c"]),
            ("SELECT 1 FROM a UNION SELECT 1 FROM c ORDER BY 1", vec!["a", "c"]),
            ("SELECT 1 FROM a UNION SELECT 1 FROM c FETCH FIRST ROW ONLY", vec!["a", "c"]),
            ("SELECT 1 FROM c", vec!["c"]),
        ] {
            assert_eq!(datasources(&format!("WITH RECURSIVE c AS ({item}) SELECT 1 FROM c")), read, "{item}");
        }
    }

    #[test]
    fn a_recursive_branch_sees_the_item_and_nothing_that_the_item_defines() {
        for (item, read) in [
            ("WITH s AS (SELECT 1 FROM a) SELECT 1 FROM s UNION ALL SELECT 1 FROM c", vec!["a"]),
            ("WITH s AS (SELECT 1 FROM a) SELECT 1 FROM c UNION ALL SELECT 1 FROM s", vec!["a", "c", "s"]),
            (
                "WITH s AS (SELECT 1) (WITH t AS (SELECT 1) SELECT 1 FROM s, t UNION SELECT 1 FROM s, t, c)",
                vec!["s", "t"],
            ),
            ("WITH s AS (SELECT 1) (((SELECT 1 FROM s) UNION (SELECT 1 FROM s, c)))", vec!["s"]),
            ("WITH s AS (SELECT 1) SELECT 1 FROM s UNION SELECT 1 FROM s, c ORDER BY 1", vec!["c"]),
            ("WITH s AS (SELECT 1) SELECT 1 FROM s EXCEPT SELECT 1 FROM s, c", vec!["c"]),
            ("WITH s AS (SELECT 1) SELECT 1 UNION SELECT 1 FROM o, (SELECT 1 FROM s, o) x", vec!["s"]),
            ("((SELECT 1) INTERSECT (SELECT 1 FROM c))", vec!["c"]),
            ("(((SELECT 1 FROM a)) UNION SELECT 1 FROM c)", vec!["a"]),
        ] {
            let text = format!("WITH RECURSIVE o AS (SELECT 1), c AS ({item}) SELECT 1 FROM c, o");
            assert_eq!(datasources(&text), read, "{text}");
        }
    }

    #[test]
    fn what_a_query_is_ordered_by_sees_the_items_of_with_over_a_bare_select_only() {
        for (query, is_seen) in [
            ("WITH s AS (SELECT 1) SELECT 1", true),
            ("WITH s AS (SELECT 1) (SELECT 1)", true),
            ("WITH s AS (SELECT 1) ((TABLE a))", true),
            ("(WITH s AS (SELECT 1) SELECT 1)", true),
            ("((WITH s AS (SELECT 1) ((SELECT 1))))", true),
            ("WITH s AS (SELECT 1) SELECT 1 UNION SELECT 1", false),
            ("WITH s AS (SELECT 1) ((SELECT 1) UNION SELECT 1)", false),
            ("(WITH s AS (SELECT 1) SELECT 1 INTERSECT SELECT 1)", false),
            ("WITH s AS (SELECT 1) VALUES (1)", false),
            ("WITH s AS (SELECT 1) (SELECT 1 ORDER BY 1)", false),
            ("WITH s AS (SELECT 1) (SELECT 1 LIMIT 1)", false),
            ("WITH s AS (SELECT 1) (SELECT 1 OFFSET 1)", false),
            ("(WITH s AS (SELECT 1) SELECT 1 ORDER BY 1)", false),
            ("(WITH s AS (SELECT 1) SELECT 1 FETCH FIRST ROW ONLY)", false),
            ("WITH s AS (SELECT 1) (WITH t AS (SELECT 1) SELECT 1)", false),
            ("((WITH s AS (SELECT 1) SELECT 1) UNION SELECT 1)", false),
        ] {
            for (text, is_seen) in [
                (format!("{query} ORDER BY (SELECT 1 FROM s)"), is_seen),
                (format!("SELECT 1 FROM ({query} ORDER BY (SELECT 1 FROM s)) x"), is_seen),
                (format!("SELECT f({query} ORDER BY 1, (SELECT 1 FROM s))"), is_seen),
                (format!("WITH s AS (SELECT 1) SELECT 1 FROM ({query} ORDER BY (SELECT 1 FROM s)) x"), true),
            ] {
                let reads = datasources(&text).contains(&"s".to_owned());
                assert_eq!(reads, !is_seen, "{text}");
            }
        }
    }

    #[test]
    fn names_of_tables_resolve_as_in_druids_root_schema() {
        let mention =
            |text: &str| walked(&format!("SELECT 1 FROM {text}")).map(|mentions| mentions.into_iter().next());
        assert_eq!(mention("view.v"), Ok(Some(Mention::View("v".to_owned()))));
        assert_eq!(mention("lookup.l"), Ok(Some(Mention::Lookup("l".to_owned()))));
        assert_eq!(mention("sys.s"), Ok(Some(Mention::SystemTable("s".to_owned()))));
        assert_eq!(mention("INFORMATION_SCHEMA.i"), Ok(Some(Mention::InformationSchema("i".to_owned()))));
        for unknown in ["SYS.s", "ext.e", "druid.a.b"] {
            assert_eq!(mention(unknown), Err(Objection::UnknownTable(unknown.to_owned())));
        }
    }
}
