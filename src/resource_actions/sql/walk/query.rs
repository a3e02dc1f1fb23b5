//! Queries, and the items of their WITH

use sqlparser::ast::{
    Cte, GroupByExpr, NamedWindowDefinition, NamedWindowExpr, OrderBy, OrderByExpr, OrderByKind,
    OrderByOptions, Query, Select, SelectFlavor, SelectItem, SelectItemQualifiedWildcardKind, SetExpr,
    SetOperator, WildcardAdditionalOptions, WindowSpec, With,
};

use super::super::objection::{Objection, Walked, absent};
use super::super::rewritten::Mark;
use super::super::shape::{Layers, is_marked};
use super::Walker;
use super::name::alias_name;

/// An item of WITH RECURSIVE
struct Item<'q> {
    name: &'q str,
    /// What is in scope around it
    around: usize,
}

impl Walker {
    pub(super) fn query(&mut self, query: &Query) -> Walked {
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

    pub(super) fn with(&mut self, with: Option<&With>) -> Walked {
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
        self.findings.counts.selects += 1;
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
