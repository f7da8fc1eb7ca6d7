//! Which values of a column compare as asked: all in one go where most of them are asked
//! about, each when it is asked about where few are.

use memchr::memmem;

use super::{Column, Damaged, Texts, Values};
use crate::training::search::comparison::Comparison;
use crate::training::search::objects::Objects;
use crate::training::search::selection::Selection;

/// So many values are compared in one go for each job that is asked about, at most.
const VALUES_FOR_A_JOB: usize = 4;

/// What is known of how values compare.
struct Verdicts<'c, 'a> {
    values: Values<'a>,
    comparison: &'c Comparison,
    /// For each value, if all have been compared.
    known: Option<Vec<bool>>,
}

impl<'a> Column<'a> {
    /// Those of `among` that have a value which compares so.
    pub(super) fn meeting(
        &self,
        comparison: &Comparison,
        among: &Selection,
    ) -> Result<Selection, Damaged> {
        let verdicts = self.verdicts(comparison, among)?;
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

impl Verdicts<'_, '_> {
    fn of(&self, value: usize) -> Result<bool, Damaged> {
        match &self.known {
            Some(known) => known.get(value).copied().ok_or(Damaged),
            None => Ok(self.comparison.holds(self.values.scalar(value)?)),
        }
    }
}

impl Values<'_> {
    /// Whether each of the values compares so.
    fn compare(self, count: usize, comparison: &Comparison) -> Result<Vec<bool>, Damaged> {
        match self {
            Self::Numbers(numbers) => Ok(match comparison.numbers() {
                Some(interval) => interval.has_each(numbers),
                None => vec![false; count],
            }),
            Self::Numerals(numbers, texts) => match comparison.numerals() {
                Some(interval) => Ok(interval.has_each(numbers)),
                None => texts.compare(count, comparison),
            },
            Self::Texts(texts) => texts.compare(count, comparison),
            Self::Mixed(..) => {
                let each = (0..count).map(|value| Ok(comparison.holds(self.scalar(value)?)));
                each.collect()
            }
        }
    }
}

impl Texts<'_> {
    /// Whether each of the texts compares so, as a text.
    fn compare(self, count: usize, comparison: &Comparison) -> Result<Vec<bool>, Damaged> {
        match comparison {
            Comparison::Contains(part) if !part.is_empty() => self.containing(count, part),
            _ => {
                let each = (0..count).map(|text| Ok(comparison.holds_of_word(self.bytes(text)?)));
                each.collect()
            }
        }
    }

    /// Whether each has a part: all are looked through as one text, and what begins in one and
    /// ends in another does not count.
    fn containing(self, count: usize, part: &str) -> Result<Vec<bool>, Damaged> {
        let finder = memmem::Finder::new(part);
        let mut met = vec![false; count];
        let (mut text, mut from) = (0, 0);
        while let Some(found) = finder.find(self.all.get(from..).ok_or(Damaged)?) {
            let at = from + found;
            while self.ends.end(text).ok_or(Damaged)? <= at {
                text += 1;
            }
            let end = self.ends.end(text).ok_or(Damaged)?;
            from = at + 1;
            if at + part.len() <= end {
                *met.get_mut(text).ok_or(Damaged)? = true;
                from = end;
            }
        }
        Ok(met)
    }
}
