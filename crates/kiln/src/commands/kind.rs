//! The kinds of jobs, and what operations and descriptions call theirs.

/// A kind of jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Training jobs.
    Training,
    /// Optimization jobs.
    Optimization,
    /// Compilation jobs.
    Compilation,
}

impl Kind {
    /// All kinds, in the order in which a name is looked for.
    pub const ALL: [Self; 3] = [Self::Training, Self::Optimization, Self::Compilation];

    /// What operations and members have in their names.
    pub fn title(self) -> &'static str {
        match self {
            Self::Training => "Training",
            Self::Optimization => "Optimization",
            Self::Compilation => "Compilation",
        }
    }

    /// What stands before "job".
    pub fn word(self) -> &'static str {
        match self {
            Self::Training => "training",
            Self::Optimization => "optimization",
            Self::Compilation => "compilation",
        }
    }

    /// The member of requests and descriptions that has a job's name.
    pub fn name_member(self) -> String {
        format!("{}JobName", self.title())
    }
}
