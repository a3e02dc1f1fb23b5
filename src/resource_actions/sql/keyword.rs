//! The keywords of Druid's grammar that shape a statement
//!
//! Only these; other keywords of Calcite are names as far as judging goes. Keywords count in either
//! case, in ASCII only.

macro_rules! keywords {
    ($($letter:literal { $($variant:ident $word:literal),* $(,)? })*) => {
        /// A keyword that shapes a statement
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Keyword { $($($variant),*),* }

        impl Keyword {
            /// The keyword that an unquoted word is
            pub(super) fn of(word: &str) -> Option<Self> {
                let mut upper = [0; LONGEST];
                let upper = upper.get_mut(..word.len())?;
                upper.copy_from_slice(word.as_bytes());
                upper.make_ascii_uppercase();
                let upper = std::str::from_utf8(upper).ok()?;
                // By the first letter, since one comparison after the other would cost more than the lexer.
                match upper.bytes().next()? {
                    $($letter => match upper {
                        $($word => Some(Self::$variant),)*
                        _ => None,
                    },)*
                    _ => None,
                }
            }

            /// Its spelling
            pub(super) fn word(self) -> &'static str {
                match self { $($(Self::$variant => $word),*),* }
            }
        }
    };
}

/// The length of the longest keyword
const LONGEST: usize = "MATCH_CONDITION".len();

keywords! {
    b'A' { Absent "ABSENT", All "ALL", Alter "ALTER", And "AND", Any "ANY", Array "ARRAY", As "AS", Asc "ASC",
        Asof "ASOF", Asymmetric "ASYMMETRIC", }
    b'B' { Between "BETWEEN", Both "BOTH", By "BY", }
    b'C' { Call "CALL", Case "CASE", Clustered "CLUSTERED", Contains "CONTAINS", Create "CREATE",
        Cross "CROSS", }
    b'D' { Date "DATE", Default "DEFAULT", Delete "DELETE", Desc "DESC", Describe "DESCRIBE",
        Distinct "DISTINCT", Drop "DROP", }
    b'E' { Else "ELSE", Empty "EMPTY", End "END", Equals "EQUALS", Error "ERROR", Escape "ESCAPE",
        Except "EXCEPT", Exclude "EXCLUDE", Exists "EXISTS", Explain "EXPLAIN", Extend "EXTEND",
        Extern "EXTERN", }
    b'F' { False "FALSE", Fetch "FETCH", Filter "FILTER", First "FIRST", For "FOR", Format "FORMAT",
        From "FROM", Full "FULL", }
    b'G' { Group "GROUP", Grouping "GROUPING", }
    b'H' { Having "HAVING", }
    b'I' { Ignore "IGNORE", Ilike "ILIKE", Immediately "IMMEDIATELY", In "IN", Include "INCLUDE",
        Inner "INNER", Insert "INSERT", Intersect "INTERSECT", Interval "INTERVAL", Into "INTO", Is "IS", }
    b'J' { Join "JOIN", Json "JSON", }
    b'K' { Key "KEY", }
    b'L' { Last "LAST", Lateral "LATERAL", Leading "LEADING", Left "LEFT", Like "LIKE", Limit "LIMIT",
        Local "LOCAL", }
    b'M' { MatchCondition "MATCH_CONDITION", MatchRecognize "MATCH_RECOGNIZE", Member "MEMBER", Merge "MERGE",
        Minus "MINUS", Multiset "MULTISET", Map "MAP", }
    b'N' { Natural "NATURAL", Next "NEXT", Not "NOT", Null "NULL", Nulls "NULLS", }
    b'O' { Of "OF", Offset "OFFSET", On "ON", Only "ONLY", Or "OR", Order "ORDER", Ordinality "ORDINALITY",
        Outer "OUTER", Over "OVER", Overlaps "OVERLAPS", Overwrite "OVERWRITE", }
    b'P' { Partition "PARTITION", Partitioned "PARTITIONED", Passing "PASSING", Pivot "PIVOT",
        Placing "PLACING", Plan "PLAN", Precedes "PRECEDES", }
    b'Q' { Qualify "QUALIFY", }
    b'R' { Range "RANGE", Recursive "RECURSIVE", Repeatable "REPEATABLE", Replace "REPLACE", Reset "RESET",
        Respect "RESPECT", Returning "RETURNING", Right "RIGHT", Rlike "RLIKE", Row "ROW", Rows "ROWS", }
    b'S' { Select "SELECT", Separator "SEPARATOR", Session "SESSION", Set "SET", Sets "SETS", Show "SHOW",
        Similar "SIMILAR", Some "SOME", Specific "SPECIFIC", Submultiset "SUBMULTISET", Succeeds "SUCCEEDS",
        Symmetric "SYMMETRIC", System "SYSTEM", }
    b'T' { Table "TABLE", Tablesample "TABLESAMPLE", Then "THEN", Time "TIME", Timestamp "TIMESTAMP", To "TO",
        Trailing "TRAILING", True "TRUE", }
    b'U' { Uescape "UESCAPE", Union "UNION", Unique "UNIQUE", Unknown "UNKNOWN", Unnest "UNNEST",
        Unpivot "UNPIVOT", Update "UPDATE", Upsert "UPSERT", Using "USING", }
    b'V' { Value "VALUE", Values "VALUES", }
    b'W' { When "WHEN", Where "WHERE", Window "WINDOW", With "WITH", Within "WITHIN", Without "WITHOUT", }
    b'Z' { Zone "ZONE", }
}

impl Keyword {
    /// Whether a query may begin with it, as far as this word alone tells
    pub(super) fn begins_query(self) -> bool {
        matches!(self, Self::Select | Self::With | Self::Values)
    }

    /// Whether it may tell a reader where a table, a query or a function's table stands
    pub(super) fn shapes_queries(self) -> bool {
        self.begins_query()
            || self.continues_query()
            || matches!(self, Self::From | Self::Join | Self::Table | Self::Where)
    }

    /// Whether a query goes on with it after a parenthesised query
    pub(super) fn continues_query(self) -> bool {
        matches!(
            self,
            Self::Union
                | Self::Except
                | Self::Intersect
                | Self::Minus
                | Self::Order
                | Self::Limit
                | Self::Offset
                | Self::Fetch
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_keyword_is_known() {
        for keyword in [Keyword::MatchCondition, Keyword::MatchRecognize, Keyword::Tablesample, Keyword::Zone]
        {
            assert_eq!(Keyword::of(keyword.word()), Some(keyword));
        }
    }

    #[test]
    fn keywords_count_in_either_case_and_in_ascii_only() {
        assert_eq!(Keyword::of("SeLect"), Some(Keyword::Select));
        assert_eq!(Keyword::Select.word(), "SELECT");
        for word in ["ſelect", "un\u{131}on", "selec", "", "$select"] {
            assert_eq!(Keyword::of(word), None, "{word}");
        }
    }
}
