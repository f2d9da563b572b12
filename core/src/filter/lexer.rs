//! The tokens of an expression, each with where it begins.

use super::error::{FilterError, FilterProblem};
use super::literal::Number;

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Word(Word),
    Name(Box<str>),
    Text(Box<str>),
    Number(Number, Box<str>),
    Symbol(&'static str),
    End,
}

/// A word with a meaning, in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Not,
    And,
    Or,
    Between,
    In,
    True,
    False,
    Null,
    Is,
    Contains,
    StartsWith,
    EndsWith,
}

const WORDS: [(&str, Word); 12] = [
    ("NOT", Word::Not),
    ("AND", Word::And),
    ("OR", Word::Or),
    ("BETWEEN", Word::Between),
    ("IN", Word::In),
    ("TRUE", Word::True),
    ("FALSE", Word::False),
    ("NULL", Word::Null),
    ("IS", Word::Is),
    ("CONTAINS", Word::Contains),
    ("STARTSWITH", Word::StartsWith),
    ("ENDSWITH", Word::EndsWith),
];

/// Longer ones before their beginnings.
const SYMBOLS: [&str; 11] = ["<>", "<=", ">=", "=", "<", ">", "(", ")", ",", "+", "-"];

impl Token {
    /// As the errors show it.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Word(word) => {
                let named = WORDS.iter().find(|(_, candidate)| candidate == word);
                named.map_or("", |(name, _)| name).to_owned()
            }
            Self::Name(name) => name.to_string(),
            Self::Text(text) => format!("'{text}'"),
            Self::Number(_, text) => text.to_string(),
            Self::Symbol(symbol) => (*symbol).to_owned(),
            Self::End => "the end".to_owned(),
        }
    }
}

/// Cuts an expression into tokens.
#[derive(Debug)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// `problem` at byte `at`.
    pub(super) fn error(&self, at: usize, problem: FilterProblem) -> FilterError {
        let before = self.text.get(..at).unwrap_or(self.text);
        FilterError {
            at: before.chars().count() + 1,
            problem,
        }
    }

    /// The next token and the byte it begins at.
    pub(super) fn next(&mut self) -> Result<(usize, Token), FilterError> {
        self.skip_space()?;
        let at = self.at;
        let rest = self.rest();
        let Some(first) = rest.chars().next() else {
            return Ok((at, Token::End));
        };
        let token = if is_name_start(first) {
            let (name, _) = split(rest, |c| is_name_start(c) || c.is_ascii_digit());
            self.at += name.len();
            word(name).map_or_else(|| Token::Name(name.into()), Token::Word)
        } else if first == '\'' {
            self.string()?
        } else if let Some(number) = number_text(rest) {
            self.at += number.len();
            let parsed = Number::literal(number)
                .ok_or_else(|| self.error(at, FilterProblem::Number(number.to_owned())))?;
            Token::Number(parsed, number.into())
        } else if let Some(symbol) = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
            self.at += symbol.len();
            Token::Symbol(symbol)
        } else if rest.starts_with("!=") {
            return Err(self.error(at, FilterProblem::NotEqual));
        } else {
            return Err(self.error(at, FilterProblem::Character(first)));
        };
        Ok((at, token))
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Passes over blanks, `-- …` to the line's end, and `/* … */`.
    fn skip_space(&mut self) -> Result<(), FilterError> {
        loop {
            let rest = self.rest();
            let blank = |c| matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}');
            let (blanks, rest) = split(rest, blank);
            self.at += blanks.len();
            if rest.starts_with("--") {
                let (comment, _) = split(rest, |c| !matches!(c, '\n' | '\r'));
                self.at += comment.len();
            } else if let Some(comment) = rest.strip_prefix("/*") {
                let Some(end) = comment.find("*/") else {
                    return Err(self.error(self.at, FilterProblem::Unended("the comment")));
                };
                self.at += end + 4;
            } else {
                return Ok(());
            }
        }
    }

    /// `'…'`, a quote inside written twice.
    fn string(&mut self) -> Result<Token, FilterError> {
        let start = self.at;
        let mut text = String::new();
        self.at += 1;
        loop {
            let rest = self.rest();
            let Some(length) = rest.find('\'') else {
                return Err(self.error(start, FilterProblem::Unended("the string")));
            };
            text.push_str(rest.get(..length).unwrap_or_default());
            self.at += length + 1;
            if !self.rest().starts_with('\'') {
                return Ok(Token::Text(text.into()));
            }
            text.push('\'');
            self.at += 1;
        }
    }
}

const fn is_name_start(character: char) -> bool {
    character.is_ascii_alphabetic() || matches!(character, '_' | '$')
}

fn word(name: &str) -> Option<Word> {
    let same = |(candidate, _): &&(&str, Word)| name.eq_ignore_ascii_case(candidate);
    WORDS.iter().find(same).map(|(_, word)| *word)
}

/// `text` parted before its first character that is not `wanted`.
fn split(text: &str, wanted: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !wanted(c)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// The number at the start of `text`: `12`, `12L`, `1.5`, `.5`, `1.`, `1e-3`.
fn number_text(text: &str) -> Option<&str> {
    let digits = |text| split(text, |c: char| c.is_ascii_digit());
    let (whole, after) = digits(text);
    let (fraction, after_fraction) = match after.strip_prefix('.') {
        Some(after) => digits(after),
        None => ("", after),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut rest = after_fraction;
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        let (power, after) = digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent));
        if !power.is_empty() {
            rest = after;
        }
    }
    let is_integer = rest.len() + whole.len() == text.len();
    if is_integer {
        rest = rest.strip_prefix(['l', 'L']).unwrap_or(rest);
    }
    text.get(..text.len() - rest.len())
}
