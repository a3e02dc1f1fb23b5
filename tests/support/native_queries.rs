//! Native queries made at random that a real Druid can run, together with what they need
//!
//! All datasources have a string `a`. The maker knows which it has put where.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::statements::Random;

/// The datasources that the queries read
pub(crate) const DATASOURCES: [&str; 2] = ["parity_a", "parity_b"];

/// A native query, and what it needs
pub(crate) struct Native {
    pub(crate) query: Value,
    pub(crate) needs: BTreeSet<String>,
}

/// The query of this number; no two runs make another one
pub(crate) fn query(number: u64) -> Native {
    let mut maker = Maker { random: Random::new(number.wrapping_add(99)), needs: BTreeSet::new() };
    let depth = maker.random.below(4);
    let query = maker.query(depth, true);
    Native { query, needs: maker.needs }
}

struct Maker {
    random: Random,
    needs: BTreeSet<String>,
}

impl Maker {
    fn table(&mut self) -> Value {
        let name = self.random.of(&DATASOURCES);
        self.needs.insert(format!("READ DATASOURCE {name}"));
        match self.random.below(3) {
            0 => json!(name),
            1 => json!({"name": name}),
            _ => json!({"type": "table", "name": name}),
        }
    }

    fn inline() -> Value {
        json!({"type": "inline", "columnNames": ["__time", "a"], "columnTypes": ["LONG", "STRING"],
            "rows": [[1_704_067_200_000_u64, "parity_b"]]})
    }

    /// What stands at the bottom of a chain: a table, a union of tables, or rows
    fn leaf(&mut self) -> Value {
        match self.random.below(5) {
            0 => Self::inline(),
            1 => {
                let tables: Vec<_> = (0..=self.random.below(2)).map(|_| self.table()).collect();
                json!({"type": "union", "dataSources": tables})
            }
            _ => self.table(),
        }
    }

    fn source(&mut self, depth: usize) -> Value {
        if depth == 0 {
            return self.leaf();
        }
        match self.random.below(3) {
            0 => self.leaf(),
            1 => json!({"type": "query", "query": self.query(depth - 1, false)}),
            _ => json!({"type": "join", "left": self.source(depth - 1),
                "right": {"type": "query", "query": self.group_by(depth - 1)}, "rightPrefix": format!("j{depth}."),
                "condition": format!("(\"a\" == \"j{depth}.a\")"), "joinType": "INNER"}),
        }
    }

    fn group_by(&mut self, depth: usize) -> Value {
        json!({"queryType": "groupBy", "dataSource": self.source(depth), "granularity": "all",
            "intervals": ["2000-01-01/2100-01-01"], "dimensions": ["a"],
            "aggregations": [{"type": "count", "name": "n"}]})
    }

    fn query(&mut self, depth: usize, is_outermost: bool) -> Value {
        let kinds = if is_outermost { 7 } else { 2 };
        let intervals = json!(["2000-01-01/2100-01-01"]);
        match self.random.below(kinds) {
            0 => self.group_by(depth),
            1 => json!({"queryType": "scan", "dataSource": self.source(depth), "intervals": intervals,
                "columns": ["__time", "a"], "limit": 10, "resultFormat": "compactedList"}),
            2 => json!({"queryType": "timeseries", "dataSource": self.source(depth), "granularity": "all",
                "intervals": intervals, "aggregations": [{"type": "count", "name": "rows"}]}),
            3 => json!({"queryType": "topN", "dataSource": self.source(depth), "granularity": "all",
                "intervals": intervals, "dimension": "a", "threshold": 3, "metric": "rows",
                "aggregations": [{"type": "count", "name": "rows"}]}),
            4 => json!({"queryType": "segmentMetadata", "dataSource": self.table(), "intervals": intervals}),
            5 => json!({"queryType": "timeBoundary", "dataSource": self.table()}),
            _ => json!({"queryType": "search", "dataSource": self.table(), "granularity": "all",
                "intervals": intervals, "searchDimensions": ["a"],
                "query": {"type": "insensitive_contains", "value": "x"}}),
        }
    }
}
