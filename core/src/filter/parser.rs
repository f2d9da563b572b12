//! A recursive descent over the tokens. Every tree's height and every recursion is held below
//! the limit, so neither parsing, asking nor dropping a tree can overflow the stack.

use super::config::FilterConfig;
use super::error::{FilterError, FilterProblem};
use super::lexer::{Lexer, Token, Word};
use super::literal::Number;
use super::node::{Node, Operand, Place, Search, Slot};
use super::value::Comparison;
use std::collections::HashMap;

/// Deepest nesting whatever the settings say: what a thread's stack surely holds.
const DEPTH_CEILING: usize = 128;

/// What an expression came to.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) root: Node,
    /// The properties it names, by slot.
    pub(super) names: Vec<Box<str>>,
}

/// Parses a whole expression.
pub(super) fn parse(text: &str, config: &FilterConfig) -> Result<Parsed, FilterError> {
    let lexer = Lexer::new(text);
    if text.len() > config.expression_bytes_max {
        let problem = FilterProblem::TooLong(config.expression_bytes_max);
        return Err(lexer.error(0, problem));
    }
    let mut parser = Parser {
        lexer,
        token: Token::End,
        at: 0,
        depth: 0,
        depth_max: config.expression_depth_max.min(DEPTH_CEILING),
        slots: HashMap::new(),
    };
    parser.advance()?;
    let term = parser.any()?;
    if parser.token != Token::End {
        return Err(parser.error(FilterProblem::Trailing(parser.token.shown())));
    }
    let (root, _) = parser.condition(term)?;
    let mut names = vec![Box::default(); parser.slots.len()];
    for (name, slot) in parser.slots {
        if let Some(place) = names.get_mut(slot) {
            *place = name;
        }
    }
    Ok(Parsed { root, names })
}

/// A part of an expression that is not yet used as a condition or an operand.
#[derive(Debug)]
struct Term {
    meaning: Meaning,
    /// How many nodes stand above each other in it.
    height: usize,
    at: usize,
}

#[derive(Debug)]
enum Meaning {
    Condition(Node),
    Property(Slot),
    Text(Box<str>),
    Number(Number),
}

#[derive(Debug)]
struct Parser<'a> {
    lexer: Lexer<'a>,
    /// The token that comes next, and its place.
    token: Token,
    at: usize,
    depth: usize,
    depth_max: usize,
    slots: HashMap<Box<str>, Slot>,
}

type Parse<T> = Result<T, FilterError>;

impl Parser<'_> {
    /// `all OR all …`
    fn any(&mut self) -> Parse<Term> {
        let first = self.all()?;
        self.joined(first, Word::Or, Self::all, Node::Any)
    }

    /// `equality AND equality …`
    fn all(&mut self) -> Parse<Term> {
        let first = self.equality()?;
        self.joined(first, Word::And, Self::equality, Node::All)
    }

    fn joined(
        &mut self,
        first: Term,
        word: Word,
        part: fn(&mut Self) -> Parse<Term>,
        join: fn(Vec<Node>) -> Node,
    ) -> Parse<Term> {
        if self.token != Token::Word(word) {
            return Ok(first);
        }
        let at = first.at;
        let (node, mut height) = self.condition(first)?;
        let mut nodes = vec![node];
        while self.take(&Token::Word(word))? {
            let next = part(self)?;
            let (node, next_height) = self.condition(next)?;
            height = height.max(next_height);
            nodes.push(node);
        }
        self.grown(join(nodes), height, at)
    }

    /// `order = order …`, `order IS NULL`
    fn equality(&mut self) -> Parse<Term> {
        let mut left = self.order()?;
        loop {
            let comparison = match self.token {
                Token::Symbol("=") => Comparison::Equal,
                Token::Symbol("<>") => Comparison::NotEqual,
                Token::Word(Word::Is) => {
                    left = self.is_null(left)?;
                    continue;
                }
                _ => return Ok(left),
            };
            self.advance()?;
            let right = self.order()?;
            self.check_equality(&left, &right)?;
            left = self.compared(comparison, left, right)?;
        }
    }

    fn is_null(&mut self, term: Term) -> Parse<Term> {
        self.advance()?;
        let is_negated = self.take(&Token::Word(Word::Not))?;
        if !self.take(&Token::Word(Word::Null))? {
            return Err(self.unexpected("NULL"));
        }
        let at = term.at;
        let (operand, height) = operand(term);
        let node = Node::IsNull(operand);
        if is_negated {
            return self.grown(Node::Not(Box::new(node)), height + 1, at);
        }
        self.grown(node, height, at)
    }

    /// `sign < sign`, `sign BETWEEN …`, `sign IN …`, `sign CONTAINS …`
    fn order(&mut self) -> Parse<Term> {
        let mut left = self.signed()?;
        loop {
            let comparison = match self.token {
                Token::Symbol("<") => Comparison::Less,
                Token::Symbol("<=") => Comparison::LessOrEqual,
                Token::Symbol(">") => Comparison::Greater,
                Token::Symbol(">=") => Comparison::GreaterOrEqual,
                Token::Word(
                    Word::Not
                    | Word::Between
                    | Word::In
                    | Word::Contains
                    | Word::StartsWith
                    | Word::EndsWith,
                ) => {
                    left = self.membership(left)?;
                    continue;
                }
                _ => return Ok(left),
            };
            self.advance()?;
            let right = self.signed()?;
            self.check_order(&left)?;
            self.check_order(&right)?;
            left = self.compared(comparison, left, right)?;
        }
    }

    /// What follows an operand that is a word, `NOT` perhaps before it.
    fn membership(&mut self, left: Term) -> Parse<Term> {
        let is_negated = self.take(&Token::Word(Word::Not))?;
        let place = match self.token {
            Token::Word(Word::Between) => {
                let between = self.between(left)?;
                return self.negated_if(is_negated, between);
            }
            Token::Word(Word::In) => {
                let within = self.within(left)?;
                return self.negated_if(is_negated, within);
            }
            Token::Word(Word::Contains) => Place::Anywhere,
            Token::Word(Word::StartsWith) => Place::AtStart,
            Token::Word(Word::EndsWith) => Place::AtEnd,
            _ => return Err(self.unexpected("BETWEEN, IN, CONTAINS, STARTSWITH or ENDSWITH")),
        };
        self.advance()?;
        let text = self.text()?;
        let at = left.at;
        let (within, height) = operand(left);
        let search = Search {
            within,
            place,
            text,
            is_negated,
        };
        self.grown(Node::Search(search), height, at)
    }

    fn negated_if(&self, is_negated: bool, term: Term) -> Parse<Term> {
        if !is_negated {
            return Ok(term);
        }
        let at = term.at;
        let (node, height) = self.condition(term)?;
        self.grown(Node::Not(Box::new(node)), height, at)
    }

    fn between(&mut self, value: Term) -> Parse<Term> {
        self.advance()?;
        let lower = self.signed()?;
        if !self.take(&Token::Word(Word::And))? {
            return Err(self.unexpected("AND"));
        }
        let upper = self.signed()?;
        for term in [&value, &lower, &upper] {
            self.check_order(term)?;
        }
        if let (Meaning::Number(low), Meaning::Number(high)) = (&lower.meaning, &upper.meaning)
            && low.compare(high).is_some_and(std::cmp::Ordering::is_gt)
        {
            return Err(self.lexer.error(lower.at, FilterProblem::EmptyRange));
        }
        let at = value.at;
        // Neither is a condition, so each is one node.
        let ((value, _), (lower, _), (upper, _)) = (operand(value), operand(lower), operand(upper));
        let above = Node::Compare(Comparison::GreaterOrEqual, value.clone(), lower);
        let below = Node::Compare(Comparison::LessOrEqual, value, upper);
        self.grown(Node::All(vec![above, below]), 2, at)
    }

    fn within(&mut self, value: Term) -> Parse<Term> {
        let Meaning::Property(slot) = value.meaning else {
            return Err(self.lexer.error(value.at, FilterProblem::NoProperty));
        };
        self.advance()?;
        if !self.take(&Token::Symbol("("))? {
            return Err(self.unexpected("("));
        }
        let mut texts = vec![self.text()?];
        while self.take(&Token::Symbol(","))? {
            texts.push(self.text()?);
        }
        if !self.take(&Token::Symbol(")"))? {
            return Err(self.unexpected(", or )"));
        }
        texts.sort();
        self.grown(Node::In(slot, texts.into()), 0, value.at)
    }

    /// `NOT signed`, `- number`, or the least parts there are.
    fn signed(&mut self) -> Parse<Term> {
        let at = self.at;
        if self.take(&Token::Symbol("+"))? {
            return self.nested(Self::signed);
        }
        if self.take(&Token::Symbol("-"))? {
            let mut term = self.nested(Self::signed)?;
            let Meaning::Number(number) = term.meaning else {
                return Err(self.lexer.error(at, FilterProblem::NoNumber));
            };
            term.meaning = Meaning::Number(number.negated());
            return Ok(term);
        }
        if self.take(&Token::Word(Word::Not))? {
            let term = self.nested(Self::signed)?;
            let (node, height) = self.condition(term)?;
            return self.grown(Node::Not(Box::new(node)), height, at);
        }
        self.least(at)
    }

    fn least(&mut self, at: usize) -> Parse<Term> {
        let constant = |truth| Meaning::Condition(Node::Constant(truth));
        let meaning = match &mut self.token {
            Token::Symbol("(") => {
                self.advance()?;
                let term = self.nested(Self::any)?;
                if !self.take(&Token::Symbol(")"))? {
                    return Err(self.unexpected(")"));
                }
                return Ok(term);
            }
            Token::Word(Word::True) => constant(Some(true)),
            Token::Word(Word::False) => constant(Some(false)),
            Token::Word(Word::Null) => constant(None),
            Token::Text(text) => Meaning::Text(std::mem::take(text)),
            Token::Number(number, _) => Meaning::Number(*number),
            Token::Name(name) => {
                let next = self.slots.len();
                Meaning::Property(*self.slots.entry(std::mem::take(name)).or_insert(next))
            }
            Token::Word(_) | Token::Symbol(_) | Token::End => {
                return Err(self.unexpected("a property, a string or a number"));
            }
        };
        self.advance()?;
        Ok(Term {
            meaning,
            height: 1,
            at,
        })
    }

    fn text(&mut self) -> Parse<Box<str>> {
        let Token::Text(text) = &mut self.token else {
            return Err(self.unexpected("a string"));
        };
        let text = std::mem::take(text);
        self.advance()?;
        Ok(text)
    }

    fn compared(&self, comparison: Comparison, left: Term, right: Term) -> Parse<Term> {
        let at = left.at;
        let ((left, left_height), (right, right_height)) = (operand(left), operand(right));
        let height = left_height.max(right_height);
        self.grown(Node::Compare(comparison, left, right), height, at)
    }

    fn check_equality(&self, left: &Term, right: &Term) -> Parse<()> {
        let constant = |term: &Term| match term.meaning {
            Meaning::Condition(Node::Constant(truth)) => Some(truth),
            _ => None,
        };
        let is_literal =
            |term: &Term| matches!(term.meaning, Meaning::Text(_) | Meaning::Number(_));
        for term in [left, right] {
            if constant(term) == Some(None) {
                return Err(self.lexer.error(term.at, FilterProblem::NullCompared));
            }
        }
        // The other way round RocketMQ takes it: TRUE is then no number, and the text "true".
        if constant(left).is_some() && is_literal(right) {
            return Err(self.lexer.error(left.at, FilterProblem::NeverEqual));
        }
        Ok(())
    }

    fn check_order(&self, term: &Term) -> Parse<()> {
        match term.meaning {
            Meaning::Property(_) | Meaning::Number(_) => Ok(()),
            Meaning::Condition(Node::Constant(None)) => {
                Err(self.lexer.error(term.at, FilterProblem::NullCompared))
            }
            Meaning::Condition(_) | Meaning::Text(_) => {
                Err(self.lexer.error(term.at, FilterProblem::NoOrder))
            }
        }
    }

    /// `term` as a condition, and its height.
    fn condition(&self, term: Term) -> Parse<(Node, usize)> {
        match term.meaning {
            Meaning::Condition(node) => Ok((node, term.height)),
            Meaning::Property(slot) => Ok((Node::Bare(slot), 1)),
            Meaning::Text(_) | Meaning::Number(_) => {
                Err(self.lexer.error(term.at, FilterProblem::NoCondition))
            }
        }
    }

    /// `node` over something of `height`.
    fn grown(&self, node: Node, height: usize, at: usize) -> Parse<Term> {
        // A comparison within one level of parentheses is three nodes high, a range four.
        let height = height + 1;
        if height > self.depth_max.saturating_mul(4) {
            return Err(self.too_deep());
        }
        Ok(Term {
            meaning: Meaning::Condition(node),
            height,
            at,
        })
    }

    /// One level deeper.
    fn nested(&mut self, part: fn(&mut Self) -> Parse<Term>) -> Parse<Term> {
        if self.depth == self.depth_max {
            return Err(self.too_deep());
        }
        self.depth += 1;
        let term = part(self);
        self.depth -= 1;
        term
    }

    fn too_deep(&self) -> FilterError {
        self.error(FilterProblem::TooDeep(self.depth_max))
    }

    fn advance(&mut self) -> Parse<()> {
        (self.at, self.token) = self.lexer.next()?;
        Ok(())
    }

    /// Whether `token` comes next, which is then passed.
    fn take(&mut self, token: &Token) -> Parse<bool> {
        let is_next = self.token == *token;
        if is_next {
            self.advance()?;
        }
        Ok(is_next)
    }

    fn unexpected(&self, expected: &'static str) -> FilterError {
        let found = self.token.shown();
        self.error(FilterProblem::Unexpected { expected, found })
    }

    fn error(&self, problem: FilterProblem) -> FilterError {
        self.lexer.error(self.at, problem)
    }
}

/// `term` as something to compare, and its height.
fn operand(term: Term) -> (Operand, usize) {
    let operand = match term.meaning {
        Meaning::Condition(node) => Operand::Condition(Box::new(node)),
        Meaning::Property(slot) => Operand::Property(slot),
        Meaning::Text(text) => Operand::Text(text),
        Meaning::Number(number) => Operand::Number(number),
    };
    (operand, term.height)
}
