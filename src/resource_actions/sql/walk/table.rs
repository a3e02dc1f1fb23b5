//! What stands where a table stands

use sqlparser::ast::{Join, JoinConstraint, JoinOperator, TableFactor, TableFunctionArgs, TableWithJoins};

use super::super::mention::Mention;
use super::super::objection::{Objection, Walked, absent};
use super::super::table_function;
use super::Walker;
use super::name::{alias_name, object_name};

impl Walker {
    pub(super) fn table_with_joins(&mut self, table: &TableWithJoins) -> Walked {
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

    pub(super) fn table(&mut self, table: &TableFactor) -> Walked {
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
                self.findings.counts.derived += 1;
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
        self.findings.counts.tables.push(name.iter().map(|part| (*part).to_owned()).collect());
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
        self.findings.counts.table_functions.push(name.iter().map(|part| part.to_lowercase()).collect());
        let mentions = table_function::mentions(name, args)?;
        self.findings.mentions.extend(mentions);
        args.iter().try_for_each(|argument| self.argument(argument))
    }
}
