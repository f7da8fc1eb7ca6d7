//! Durable state in SQLite: jobs, transitions, tags, logs, metrics and the S3
//! index. All of Kiln's SQL is in this crate; nobody above it sees a row. The
//! files of secrets beside the databases are made and read here too.

mod announcements;
mod database;
mod deliveries;
mod instances;
mod job_list;
mod jobs;
pub mod key_file;
mod logs;
mod metrics;
mod models;
pub mod objects;
pub mod principals;
mod search;
mod search_index;
mod tags;
mod warm_pools;

use std::path::Path;

pub use announcements::{Announcement, AnnouncementStore, NewAnnouncement};
pub use database::Database;
pub use instances::{Instance, InstanceStore};
pub use job_list::{JobDocument, JobSummary, ListQuery, Place, SortKey};
pub use jobs::{JobChange, JobIndex, JobStore, NewJob, StoredJob};
pub use logs::{
    Direction, LogEvent, LogGroup, LogStore, LogStream, NewEvent, Position, Sources, Window, expiry,
};
pub use metrics::{
    Delivery, Detail, Metric, MetricFilter, MetricStore, NewPoint, Periods, Point, Seen, Summary,
    TrialAxis, TrialValue,
};
pub use models::{ModelEntry, ModelQuery, ModelStore, NewModel};
/// What a caller's own change returns when SQLite refuses it.
pub use rusqlite::Error as SqliteError;
pub use search_index::{BLOCK_BITS, SearchBlock, SearchIndex, SearchMark, Visit};
pub use tags::{TAG_LIMIT, Tag, TagStore};
pub use warm_pools::{Offer, WarmPoolEntry, WarmPoolStore};

const JOB_MIGRATIONS: &[&str] = &[
    jobs::SCHEMA,
    tags::SCHEMA,
    instances::SCHEMA,
    instances::CLAIMS,
    announcements::SCHEMA,
    warm_pools::SCHEMA,
    job_list::INDEXES,
    job_list::ORDERS,
    job_list::NAMES,
    search_index::MARKS,
    search_index::BINDING,
    models::SCHEMA,
    job_list::NAME_PARTS,
];

/// What a control plane remembers, under one data directory. Logs and metrics have
/// a file and a writer of their own each, so that a chatty job does not hold up the
/// others' transitions.
#[derive(Debug, Clone)]
pub struct Store {
    /// Jobs of every kind.
    pub jobs: JobStore,
    /// SageMaker models.
    pub models: ModelStore,
    /// Tags of jobs and models.
    pub tags: TagStore,
    /// The instances that jobs run on.
    pub instances: InstanceStore,
    /// What a listener outside is to be told.
    pub announcements: AnnouncementStore,
    /// What jobs leave behind for jobs like them.
    pub warm_pools: WarmPoolStore,
    /// What searches look into.
    pub search: SearchIndex,
    /// Log groups, streams and events.
    pub logs: LogStore,
    /// Metrics and the values of trial components.
    pub metrics: MetricStore,
    /// Users, roles, and their keys and policies.
    pub principals: principals::PrincipalStore,
}

impl Store {
    /// Opens or creates `jobs.db`, `search.db`, `logs.db`, `metrics.db` and `principals.db` in the
    /// directory.
    ///
    /// # Errors
    /// See [`Database::open`].
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let jobs = directory.join("jobs.db");
        let database = Database::open(&jobs, JOB_MIGRATIONS)?;
        let search = directory.join("search.db");
        Ok(Self {
            jobs: JobStore::new(database.clone()),
            models: ModelStore::new(database.clone()),
            tags: TagStore::new(database.clone()),
            instances: InstanceStore::new(database.clone()),
            announcements: AnnouncementStore::new(database.clone()),
            warm_pools: WarmPoolStore::new(database.clone()),
            search: SearchIndex::open(&search, database)?,
            logs: LogStore::open(&directory.join("logs.db"))?,
            metrics: MetricStore::open(&directory.join("metrics.db"))?,
            principals: principals::PrincipalStore::open(&directory.join("principals.db"))?,
        })
    }
}

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite refused a statement.
    #[error("the database refused a statement: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A group of changes could not be made durable; none of them happened.
    #[error("the database could not commit: {0}")]
    Commit(String),
    /// A change panicked, and was undone.
    #[error("a change to the database panicked")]
    Panicked,
    /// The writer thread ended, which happens only while the process ends.
    #[error("the database writer has stopped")]
    WriterGone,
    /// The file comes from a later version of Kiln.
    #[error(
        "the database was written by a newer Kiln (schema {found}, this one knows {known}); \
         upgrade Kiln or use another data directory"
    )]
    NewerSchema {
        /// The file's schema version.
        found: usize,
        /// The newest version this program knows.
        known: usize,
    },
    /// The writer thread could not be started.
    #[error("could not start the database writer: {0}")]
    Thread(#[from] std::io::Error),
    /// The job's name, or one that differs only in case, is in use.
    #[error("a job with this name exists already")]
    NameTaken,
    /// There is no job or instance by that name.
    #[error("there is no such resource")]
    NoSuchResource,
    /// A resource would have more tags than AWS allows.
    #[error("a resource has at most {TAG_LIMIT} tags")]
    TooManyTags,
}
