//! Reading a rewritten query with sqlparser

use std::cell::Cell;

use sqlparser::ast::{Array, Expr, Ident, ObjectName, Query, Value};
use sqlparser::dialect::Dialect;
use sqlparser::keywords::Keyword as Word;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token as ParserToken, TokenWithSpan};

/// The language that `rewrite` writes: names are quoted, and there is one operator
#[derive(Debug, Default)]
struct Rewritten {
    /// Whether the operand that comes next belongs to a chain that is being read
    is_in_chain: Cell<bool>,
}

/// Binds tighter than nothing
const OPERATOR: u8 = 20;

impl Dialect for Rewritten {
    fn is_identifier_start(&self, _: char) -> bool {
        false
    }

    fn is_identifier_part(&self, _: char) -> bool {
        false
    }

    fn supports_named_fn_args_with_rarrow_operator(&self) -> bool {
        true
    }

    fn is_column_alias(&self, word: &Word, _: &mut Parser<'_>) -> bool {
        *word == Word::NoKeyword
    }

    fn is_select_item_alias(&self, _: bool, word: &Word, _: &mut Parser<'_>) -> bool {
        *word == Word::NoKeyword
    }

    fn is_table_factor(&self, word: &Word, _: &mut Parser<'_>) -> bool {
        *word == Word::NoKeyword
    }

    fn is_table_alias(&self, word: &Word, _: &mut Parser<'_>) -> bool {
        *word == Word::NoKeyword
    }

    fn is_table_factor_alias(&self, _: bool, word: &Word, _: &mut Parser<'_>) -> bool {
        *word == Word::NoKeyword
    }

    fn is_reserved_for_identifier(&self, word: Word) -> bool {
        word != Word::NoKeyword
    }

    fn get_next_precedence(&self, parser: &Parser<'_>) -> Option<Result<u8, ParserError>> {
        let is_operator = parser.peek_token_ref().token == ParserToken::Plus;
        Some(Ok(if is_operator { OPERATOR } else { 0 }))
    }

    /// A chain of operands becomes one flat list, so that no tree grows with its length
    fn parse_prefix(&self, parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
        if self.is_in_chain.take() {
            return plain_operand(parser);
        }
        Some(self.chain(parser))
    }
}

/// An operand that sqlparser would read in the same way, but only after trying whether it is a type: a name, a call, a literal
fn plain_operand(parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
    let ParserToken::Word(word) = &parser.peek_token_ref().token else {
        return literal(parser);
    };
    word.quote_style?;
    let next = &parser.peek_nth_token_ref(1).token;
    let is_call = *next == ParserToken::LParen && parser.peek_nth_token_ref(2).token != ParserToken::Plus;
    if !is_call && !may_follow_operand(next) {
        return None;
    }
    let TokenWithSpan { token: ParserToken::Word(word), span } = parser.next_token() else {
        return None;
    };
    let name = Ident { value: word.value, quote_style: word.quote_style, span };
    Some(if is_call {
        parser.parse_function(ObjectName::from(vec![name]))
    } else {
        Ok(Expr::Identifier(name))
    })
}

fn literal(parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
    if !may_follow_operand(&parser.peek_nth_token_ref(1).token) {
        return None;
    }
    let token = &parser.peek_token_ref().token;
    let value = if let ParserToken::Number(digits, is_long) = token {
        Value::Number(digits.clone(), *is_long)
    } else if let ParserToken::SingleQuotedString(text) = token {
        Value::SingleQuotedString(text.clone())
    } else if let ParserToken::NationalStringLiteral(text) = token {
        Value::NationalStringLiteral(text.clone())
    } else {
        return None;
    };
    let span = parser.peek_token_ref().span;
    parser.advance_token();
    Some(Ok(Expr::Value(value.with_span(span))))
}

/// Whether this token surely belongs to something else than a literal or a name before it
fn may_follow_operand(token: &ParserToken) -> bool {
    use ParserToken::{Comma, EOF, Period, Plus, RParen, Word};
    matches!(token, Comma | RParen | Plus | Period | EOF | Word(_))
}

impl Rewritten {
    /// One operand, or the list of them that a chain is
    fn chain(&self, parser: &mut Parser<'_>) -> Result<Expr, ParserError> {
        let first = self.operand(parser)?;
        if parser.peek_token_ref().token != ParserToken::Plus {
            return Ok(first);
        }
        let mut operands = vec![first];
        while parser.consume_token(&ParserToken::Plus) {
            operands.push(self.operand(parser)?);
        }
        Ok(Expr::Array(Array { elem: operands, named: false }))
    }

    /// One operand, read as sqlparser does
    fn operand(&self, parser: &mut Parser<'_>) -> Result<Expr, ParserError> {
        self.is_in_chain.set(true);
        parser.parse_subexpr(OPERATOR)
    }
}

/// Reads one query, to the end; on failure gives the number of the source token that did not fit
pub(super) fn read(tokens: Vec<TokenWithSpan>, nesting: usize) -> Result<Box<Query>, Option<usize>> {
    let dialect = Rewritten::default();
    let mut parser =
        Parser::new(&dialect).with_recursion_limit(nesting * 8 + 64).with_tokens_with_locations(tokens);
    let query = parser.parse_query().map_err(|_| place(&parser))?;
    let is_at_end = parser.peek_token_ref().token == ParserToken::EOF;
    if is_at_end { Ok(query) } else { Err(place(&parser)) }
}

fn place(parser: &Parser<'_>) -> Option<usize> {
    let token = parser.peek_token_ref();
    (token.token != ParserToken::EOF).then(|| usize::try_from(token.span.start.line).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use sqlparser::ast::{SelectItem, SetExpr};
    use sqlparser::tokenizer::{Location, Span};

    use super::*;

    /// Tokens that carry their own number, `+` and words apart
    fn tokens(text: &str) -> Vec<TokenWithSpan> {
        let token = |word: &str| match word {
            "+" => ParserToken::Plus,
            "(" => ParserToken::LParen,
            ")" => ParserToken::RParen,
            "SELECT" => ParserToken::make_word(word, None),
            _ => ParserToken::make_word(word, Some('"')),
        };
        let place = |number: usize| Location::new(number as u64, 1);
        let numbered = text.split(' ').enumerate();
        numbered
            .map(|(number, word)| TokenWithSpan::new(token(word), Span::new(place(number), place(number))))
            .collect()
    }

    #[test]
    fn a_chain_is_one_flat_list() {
        let query = read(tokens("SELECT a + ( b + c ) + d"), 100).unwrap();
        let SetExpr::Select(select) = query.body.as_ref() else { panic!("no SELECT") };
        let [SelectItem::UnnamedExpr(Expr::Array(operands))] = select.projection.as_slice() else {
            panic!("no list")
        };
        assert_eq!(operands.elem.len(), 3);
    }

    #[test]
    fn plain_operands_are_read_as_sqlparser_reads_them() {
        let read = |text: &str| read(tokens(text), 100).map(|query| query.to_string());
        assert_eq!(
            read("SELECT a + b ( c + d ) e").as_deref(),
            Ok("SELECT [\"a\", \"b\"([\"c\", \"d\"])] AS \"e\"")
        );
        assert!(read("SELECT a ( + )").is_err());
    }

    #[test]
    fn what_does_not_fit_is_told_by_its_number() {
        assert_eq!(read(tokens("SELECT a b c"), 100), Err(Some(3)));
        assert_eq!(read(tokens("SELECT a +"), 100), Err(None));
    }
}
