//! The grammar: a parser by operator precedence, after Pratt.

use super::token::{Kind, Token, tokens};
use super::{QueryError, underline};
use crate::value::Value;

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Identity,
    Field(String),
    Literal(Value),
    Index(i128),
    Slice([Option<i128>; 3]),
    /// One after the other: `a.b`, `a[0]`, `a | b`.
    Chain(Vec<Node>),
    Projection(Box<Node>, Box<Node>),
    ValueProjection(Box<Node>, Box<Node>),
    FilterProjection {
        base: Box<Node>,
        each: Box<Node>,
        condition: Box<Node>,
    },
    Flatten(Box<Node>),
    Comparison(Kind, Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    And(Box<Node>, Box<Node>),
    Not(Box<Node>),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
    Call(String, Vec<Node>),
    Reference(Box<Node>),
}

/// Reads an expression.
pub(super) fn parse(expression: &str) -> Result<Node, QueryError> {
    let mut parser = Parser {
        expression,
        tokens: tokens(expression)?,
        place: 0,
        level: 0,
        height: 0,
    };
    let node = parser.expression(0)?;
    let rest = parser.peek();
    if rest.kind == Kind::End {
        Ok(node)
    } else {
        Err(parser.refuse(rest, format!("Unexpected token: {}", rest.shown())))
    }
}

/// How strongly a token binds what is before it to what comes after.
const fn power(kind: Kind) -> u8 {
    match kind {
        Kind::Pipe => 1,
        Kind::Or => 2,
        Kind::And => 3,
        Kind::Equal | Kind::Unequal | Kind::Less | Kind::AtMost | Kind::Greater | Kind::AtLeast => {
            5
        }
        Kind::Flatten => 9,
        Kind::Star => 20,
        Kind::Filter => 21,
        Kind::Dot => 40,
        Kind::Not => 45,
        Kind::OpenBrace => 50,
        Kind::OpenBracket => 55,
        Kind::OpenParenthesis => 60,
        _ => 0,
    }
}

/// Expressions are not nested deeper than this. What applies them goes as deep.
const DEEPEST: usize = 400;

/// What binds less than this ends a projection.
const PROJECTION_STOP: u8 = 10;

struct Parser<'a> {
    expression: &'a str,
    tokens: Vec<Token>,
    place: usize,
    /// How many expressions this place is within.
    level: usize,
    /// The height of the highest tree that was read for the present expression.
    height: usize,
}

impl Parser<'_> {
    fn peek(&self) -> &Token {
        self.ahead(0)
    }

    fn ahead(&self, number: usize) -> &Token {
        // The last token is the end, and stands for all that comes after it.
        let last = self.tokens.len() - 1;
        &self.tokens[(self.place + number).min(last)]
    }

    fn kind(&self) -> Kind {
        self.peek().kind
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.place += 1;
        token
    }

    fn expression(&mut self, binding: u8) -> Result<Node, QueryError> {
        let beside = std::mem::take(&mut self.height);
        self.level += 1;
        self.check_depth(self.level)?;
        let first = self.next();
        let mut left = self.prefix(&first)?;
        let mut height = std::mem::take(&mut self.height) + 1;
        while binding < power(self.kind()) {
            let token = self.next();
            left = self.infix(left, &token)?;
            height = height.max(std::mem::take(&mut self.height)) + 1;
            self.check_depth(height)?;
        }
        self.level -= 1;
        self.height = beside.max(height);
        Ok(left)
    }

    fn check_depth(&self, depth: usize) -> Result<(), QueryError> {
        if depth <= DEEPEST {
            return Ok(());
        }
        Err(QueryError::Value(
            "maximum recursion depth exceeded".to_owned(),
        ))
    }

    fn prefix(&mut self, token: &Token) -> Result<Node, QueryError> {
        Ok(match token.kind {
            Kind::Literal => Node::Literal(token.value.clone()),
            Kind::Name => Node::Field(token.shown()),
            Kind::QuotedName => {
                if self.kind() == Kind::OpenParenthesis {
                    let message = "Quoted identifier not allowed for function names.";
                    let mut next = self.peek().clone();
                    next.start = 0;
                    return Err(self.refuse(&next, message.to_owned()));
                }
                Node::Field(token.shown())
            }
            Kind::Star => {
                let each = if self.kind() == Kind::CloseBracket {
                    Node::Identity
                } else {
                    self.projected(power(Kind::Star))?
                };
                Node::ValueProjection(Box::new(Node::Identity), Box::new(each))
            }
            Kind::Filter => self.filter(Node::Identity)?,
            Kind::OpenBrace => self.multi_map()?,
            Kind::OpenParenthesis => {
                let inner = self.expression(0)?;
                self.expect(Kind::CloseParenthesis)?;
                inner
            }
            Kind::Flatten => self.flatten(Node::Identity)?,
            Kind::Not => Node::Not(Box::new(self.expression(power(Kind::Not))?)),
            Kind::OpenBracket => self.bracket()?,
            Kind::Current => Node::Identity,
            Kind::Reference => Node::Reference(Box::new(self.expression(0)?)),
            Kind::End => return Err(self.incomplete()),
            _ => return Err(self.refuse(token, "invalid token".to_owned())),
        })
    }

    fn infix(&mut self, left: Node, token: &Token) -> Result<Node, QueryError> {
        let binding = power(token.kind);
        Ok(match token.kind {
            Kind::Dot if self.kind() == Kind::Star => {
                self.place += 1;
                let each = self.projected(binding)?;
                Node::ValueProjection(Box::new(left), Box::new(each))
            }
            Kind::Dot => Node::Chain(vec![left, self.after_dot(binding)?]),
            Kind::Pipe => Node::Chain(vec![left, self.expression(binding)?]),
            Kind::Or => Node::Or(Box::new(left), Box::new(self.expression(binding)?)),
            Kind::And => Node::And(Box::new(left), Box::new(self.expression(binding)?)),
            Kind::OpenParenthesis => self.call(left)?,
            Kind::Filter => self.filter(left)?,
            Kind::Flatten => self.flatten(left)?,
            Kind::OpenBracket => match self.kind() {
                Kind::Number | Kind::Colon => self.index(left)?,
                _ => {
                    self.expect(Kind::Star)?;
                    self.expect(Kind::CloseBracket)?;
                    let each = self.projected(power(Kind::Star))?;
                    Node::Projection(Box::new(left), Box::new(each))
                }
            },
            Kind::Star | Kind::Not | Kind::OpenBrace => {
                return Err(self.refuse(token, "invalid token".to_owned()));
            }
            comparator => {
                let right = self.expression(binding)?;
                Node::Comparison(comparator, Box::new(left), Box::new(right))
            }
        })
    }

    fn bracket(&mut self) -> Result<Node, QueryError> {
        match (self.kind(), self.ahead(1).kind) {
            (Kind::Number | Kind::Colon, _) => self.index(Node::Identity),
            (Kind::Star, Kind::CloseBracket) => {
                self.place += 2;
                let each = self.projected(power(Kind::Star))?;
                Ok(Node::Projection(Box::new(Node::Identity), Box::new(each)))
            }
            _ => self.multi_list(),
        }
    }

    /// `0]` or `1:2]`, after the bracket.
    fn index(&mut self, left: Node) -> Result<Node, QueryError> {
        if self.kind() == Kind::Colon || self.ahead(1).kind == Kind::Colon {
            let slice = self.slice()?;
            let base = Node::Chain(vec![left, slice]);
            let each = self.projected(power(Kind::Star))?;
            return Ok(Node::Projection(Box::new(base), Box::new(each)));
        }
        let place = whole(&self.next().value);
        self.expect(Kind::CloseBracket)?;
        Ok(Node::Chain(vec![left, Node::Index(place)]))
    }

    fn slice(&mut self) -> Result<Node, QueryError> {
        let mut parts = [None; 3];
        let mut part = 0;
        while self.kind() != Kind::CloseBracket {
            let token = self.next();
            match token.kind {
                Kind::Colon if part < 2 => part += 1,
                Kind::Number => parts[part] = Some(whole(&token.value)),
                _ => return Err(self.refuse(&token, "syntax error".to_owned())),
            }
        }
        self.expect(Kind::CloseBracket)?;
        Ok(Node::Slice(parts))
    }

    fn filter(&mut self, base: Node) -> Result<Node, QueryError> {
        let condition = Box::new(self.expression(0)?);
        self.expect(Kind::CloseBracket)?;
        let each = if self.kind() == Kind::Flatten {
            Node::Identity
        } else {
            self.projected(power(Kind::Filter))?
        };
        Ok(Node::FilterProjection {
            base: Box::new(base),
            each: Box::new(each),
            condition,
        })
    }

    fn flatten(&mut self, base: Node) -> Result<Node, QueryError> {
        let each = self.projected(power(Kind::Flatten))?;
        let base = Node::Flatten(Box::new(base));
        Ok(Node::Projection(Box::new(base), Box::new(each)))
    }

    fn call(&mut self, left: Node) -> Result<Node, QueryError> {
        let Node::Field(name) = left else {
            let before = &self.tokens[self.place.saturating_sub(2)];
            let message = format!("Invalid function name '{}'", before.shown());
            return Err(self.refuse(before, message));
        };
        let mut arguments = Vec::new();
        while self.kind() != Kind::CloseParenthesis {
            arguments.push(self.expression(0)?);
            if self.kind() == Kind::Comma {
                self.place += 1;
            }
        }
        self.expect(Kind::CloseParenthesis)?;
        Ok(Node::Call(name, arguments))
    }

    fn multi_list(&mut self) -> Result<Node, QueryError> {
        let mut nodes = vec![self.expression(0)?];
        while self.kind() != Kind::CloseBracket {
            self.expect(Kind::Comma)?;
            nodes.push(self.expression(0)?);
        }
        self.expect(Kind::CloseBracket)?;
        Ok(Node::List(nodes))
    }

    fn multi_map(&mut self) -> Result<Node, QueryError> {
        let mut pairs = Vec::new();
        loop {
            let key = self.next();
            if !matches!(key.kind, Kind::QuotedName | Kind::Name) {
                let expected = "['quoted_identifier', 'unquoted_identifier']";
                return Err(self.unexpected(&key, expected));
            }
            self.expect(Kind::Colon)?;
            pairs.push((key.shown(), self.expression(0)?));
            match self.kind() {
                Kind::Comma => self.place += 1,
                Kind::CloseBrace => {
                    self.place += 1;
                    return Ok(Node::Map(pairs));
                }
                _ => {}
            }
        }
    }

    /// What a projection does with each element.
    fn projected(&mut self, binding: u8) -> Result<Node, QueryError> {
        match self.kind() {
            kind if power(kind) < PROJECTION_STOP => Ok(Node::Identity),
            Kind::OpenBracket | Kind::Filter => self.expression(binding),
            Kind::Dot => {
                self.place += 1;
                self.after_dot(binding)
            }
            _ => Err(self.refuse(self.peek(), "syntax error".to_owned())),
        }
    }

    fn after_dot(&mut self, binding: u8) -> Result<Node, QueryError> {
        match self.kind() {
            Kind::QuotedName | Kind::Name | Kind::Star => self.expression(binding),
            Kind::OpenBracket => {
                self.place += 1;
                self.multi_list()
            }
            Kind::OpenBrace => {
                self.place += 1;
                self.multi_map()
            }
            got => {
                let allowed = "['quoted_identifier', 'unquoted_identifier', 'lbracket', 'lbrace']";
                let message = format!("Expecting: {allowed}, got: {}", got.name());
                Err(self.refuse(self.peek(), message))
            }
        }
    }

    fn expect(&mut self, kind: Kind) -> Result<(), QueryError> {
        let token = self.next();
        if token.kind == kind {
            Ok(())
        } else {
            Err(self.unexpected(&token, kind.name()))
        }
    }

    fn unexpected(&self, token: &Token, expected: &str) -> QueryError {
        if token.kind == Kind::End {
            return self.incomplete();
        }
        let message = format!("Expecting: {expected}, got: {}", token.kind.name());
        self.refuse(token, message)
    }

    fn incomplete(&self) -> QueryError {
        QueryError::Incomplete {
            expression: self.expression.to_owned(),
            underline: underline(self.expression.chars().count() + 1),
        }
    }

    fn refuse(&self, token: &Token, message: String) -> QueryError {
        QueryError::Syntax {
            message,
            position: token.start,
            token: token.shown(),
            kind: token.kind.name().to_uppercase(),
            expression: self.expression.to_owned(),
        }
    }
}

fn whole(value: &Value) -> i128 {
    match value {
        Value::Integer(number) => *number,
        _ => 0,
    }
}
