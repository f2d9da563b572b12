//! The patterns of a topic exchange, word by word.

use super::exchange::Destination;
use smallvec::SmallVec;
use std::collections::HashMap;

/// Matches exactly one word.
const ANY_WORD: &str = "*";
/// Matches any number of words, none as well.
const ANY_WORDS: &str = "#";

/// A tree whose ways from the root are patterns.
#[derive(Debug, Default)]
pub(super) struct TopicTrie {
    root: Node,
}

#[derive(Debug, Default)]
struct Node {
    words: HashMap<Box<str>, Self>,
    any_word: Option<Box<Self>>,
    any_words: Option<Box<Self>>,
    /// It was reached by `#`, which takes every further word as well.
    takes_more: bool,
    /// Where the patterns that end here lead.
    destinations: Vec<Destination>,
}

/// Where matching has come to; few patterns are half matched at a time.
type Reached<'a> = SmallVec<[&'a Node; 16]>;

/// An empty key has no words; between two dots is an empty one.
fn words(key: &str) -> impl Iterator<Item = &str> {
    let words = (!key.is_empty()).then(|| key.split('.'));
    words.into_iter().flatten()
}

impl TopicTrie {
    /// Has `pattern` lead to `destination`.
    pub(super) fn insert(&mut self, pattern: &str, destination: Destination) {
        let mut node = &mut self.root;
        for word in words(pattern) {
            node = match word {
                ANY_WORD => node.any_word.get_or_insert_default(),
                ANY_WORDS => {
                    let next = node.any_words.get_or_insert_default();
                    next.takes_more = true;
                    next
                }
                word => node.words.entry(word.into()).or_default(),
            };
        }
        node.destinations.push(destination);
    }

    /// Takes that back.
    pub(super) fn remove(&mut self, pattern: &str, destination: &Destination) {
        let words: Vec<&str> = words(pattern).collect();
        self.root.remove(&words, destination);
    }

    /// Hands over where the patterns lead that `key` matches. One destination comes as often as
    /// patterns lead there.
    pub(super) fn matching<'a>(&'a self, key: &str, mut take: impl FnMut(&'a Destination)) {
        let mut reached = Reached::new();
        self.root.enter(&mut reached);
        for word in words(key) {
            let mut next = Reached::new();
            for node in reached {
                node.follow(word, &mut next);
            }
            reached = next;
        }
        let found = reached.into_iter().flat_map(|node| &node.destinations);
        found.for_each(&mut take);
    }
}

impl Node {
    /// Matching comes here, and past every `#` that takes no word.
    fn enter<'a>(&'a self, reached: &mut Reached<'a>) {
        if reached.iter().any(|node| std::ptr::eq(*node, self)) {
            return;
        }
        reached.push(self);
        if let Some(next) = &self.any_words {
            next.enter(reached);
        }
    }

    /// Matching goes on from here with `word`.
    fn follow<'a>(&'a self, word: &str, reached: &mut Reached<'a>) {
        if self.takes_more {
            self.enter(reached);
        }
        if let Some(next) = self.words.get(word) {
            next.enter(reached);
        }
        if let Some(next) = &self.any_word {
            next.enter(reached);
        }
    }

    /// Whether nothing is left here.
    fn remove(&mut self, words: &[&str], destination: &Destination) -> bool {
        match words.split_first() {
            None => {
                let at = self.destinations.iter().position(|it| it == destination);
                if let Some(at) = at {
                    self.destinations.swap_remove(at);
                }
            }
            Some((&ANY_WORD, rest)) => {
                self.any_word.take_if(|next| next.remove(rest, destination));
            }
            Some((&ANY_WORDS, rest)) => {
                self.any_words
                    .take_if(|next| next.remove(rest, destination));
            }
            Some((word, rest)) => {
                let next = self.words.get_mut(*word);
                if next.is_some_and(|next| next.remove(rest, destination)) {
                    self.words.remove(*word);
                }
            }
        }
        self.is_empty()
    }

    fn is_empty(&self) -> bool {
        self.destinations.is_empty()
            && self.words.is_empty()
            && self.any_word.is_none()
            && self.any_words.is_none()
    }
}
