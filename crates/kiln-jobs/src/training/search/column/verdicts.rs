//! Which values of a column compare as asked: all in one go where most of them are asked
//! about, each when it is asked about where few are.

use memchr::memmem;

use super::{Column, Damaged, Lists, Texts, Values};
use crate::training::search::bits::Bits;
use crate::training::search::comparison::Comparison;
use crate::training::search::objects::Objects;
use crate::training::search::selection::Selection;

/// So many values are compared in one go for each job that is asked about, at most.
const VALUES_FOR_A_JOB: usize = 4;

/// What is known of how values compare.
struct Verdicts<'c, 'a> {
    values: Values<'a>,
    comparison: &'c Comparison,
    /// Those that compare so, if all have been compared.
    known: Option<Bits>,
}

impl<'a> Column<'a> {
    /// Those of `among` that have a value which compares so.
    pub(super) fn meeting(
        &self,
        comparison: &Comparison,
        among: &Selection,
    ) -> Result<Selection, Damaged> {
        let verdicts = self.verdicts(comparison, among)?;
        match (&verdicts.known, self.lists) {
            (Some(known), None) => return Ok(self.having(known).and(among)),
            (Some(known), Some(lists)) => {
                let some = lists.with(known)?;
                return Ok(self.having(&some).and(among));
            }
            (None, _) => {}
        }
        self.jobs.choose(among, |_, rank| {
            let mut values = self.values_of(rank).ok_or(Damaged)?;
            values.try_fold(false, |met, value| Ok(met | verdicts.of(value)?))
        })
    }

    /// Has something done with each job of `among` that has the property, and with the
    /// objects whose values compare as asked; all objects where nothing is asked.
    /// Without lists, what a job has is one object.
    pub fn each_objects(
        &self,
        among: &Selection,
        listed: bool,
        comparison: Option<&Comparison>,
        mut then: impl FnMut(u16, &Objects),
    ) -> Result<(), Damaged> {
        let verdicts = comparison
            .map(|one| self.verdicts(one, among))
            .transpose()?;
        let chosen = self.jobs.choose(among, |place, rank| {
            let mut objects = Objects::default();
            for value in self.values_of(rank).ok_or(Damaged)? {
                let met = verdicts.as_ref().map_or(Ok(true), |all| all.of(value))?;
                if met {
                    let object = if listed { self.object(value) } else { Some(0) };
                    objects.insert(object.ok_or(Damaged)?);
                }
            }
            then(place, &objects);
            Ok(false)
        });
        chosen.map(drop)
    }

    fn verdicts<'c>(
        &self,
        comparison: &'c Comparison,
        among: &Selection,
    ) -> Result<Verdicts<'c, 'a>, Damaged> {
        let asked = self.jobs.and(among).count();
        let many = self.count <= asked * VALUES_FOR_A_JOB;
        let known = many.then(|| self.values.compare(self.count, comparison));
        Ok(Verdicts {
            values: self.values,
            comparison,
            known: known.transpose()?,
        })
    }
}

impl Lists<'_> {
    /// Those that have one of these values.
    fn with(self, values: &Bits) -> Result<Bits, Damaged> {
        met(self.ends.0.len(), |list| {
            let mut list = self.ends.stretch(list).ok_or(Damaged)?;
            Ok(list.any(|value| values.has(value)))
        })
    }
}

impl Verdicts<'_, '_> {
    fn of(&self, value: usize) -> Result<bool, Damaged> {
        match &self.known {
            Some(known) => Ok(known.has(value)),
            None => Ok(self.comparison.holds(self.values.scalar(value)?)),
        }
    }
}

impl Values<'_> {
    /// Those of the values that compare so.
    fn compare(self, count: usize, comparison: &Comparison) -> Result<Bits, Damaged> {
        match self {
            Self::Numbers(numbers) => Ok(match comparison.numbers() {
                Some(interval) => interval.has_each(numbers),
                None => Bits::none(count),
            }),
            Self::Numerals(numbers, texts) => match comparison.numerals() {
                Some(interval) => Ok(interval.has_each(numbers)),
                None => texts.compare(count, comparison),
            },
            Self::Texts(texts) => texts.compare(count, comparison),
            Self::Mixed(..) => met(count, |value| Ok(comparison.holds(self.scalar(value)?))),
        }
    }
}

impl Texts<'_> {
    /// Those of the texts that compare so, as texts.
    fn compare(self, count: usize, comparison: &Comparison) -> Result<Bits, Damaged> {
        match comparison {
            Comparison::Contains(part) if !part.is_empty() => self.containing(count, part),
            _ => met(count, |text| {
                let word = self.bytes(text)?;
                Ok(comparison.holds_of_word(word))
            }),
        }
    }

    /// Those that have a part: all are looked through as one text, and what begins in one and
    /// ends in another does not count.
    fn containing(self, count: usize, part: &str) -> Result<Bits, Damaged> {
        let finder = memmem::Finder::new(part);
        let mut met = Bits::none(count);
        let (mut text, mut from) = (0, 0);
        while let Some(found) = finder.find(self.all.get(from..).ok_or(Damaged)?) {
            let at = from + found;
            while self.ends.end(text).ok_or(Damaged)? <= at {
                text += 1;
            }
            let end = self.ends.end(text).ok_or(Damaged)?;
            from = at + 1;
            if at + part.len() <= end {
                met.insert(text);
                from = end;
            }
        }
        Ok(met)
    }
}

/// Those of so many values that compare as asked.
fn met(
    count: usize,
    mut compares: impl FnMut(usize) -> Result<bool, Damaged>,
) -> Result<Bits, Damaged> {
    let mut met = Bits::none(count);
    for value in 0..count {
        if compares(value)? {
            met.insert(value);
        }
    }
    Ok(met)
}
