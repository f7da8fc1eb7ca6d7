//! Instances on this machine: each agent is a process of its own, in a session
//! of its own, that does not end with the server.
//!
//! An agent holds a lock on its instance's directory as long as it lives. That
//! lock, and nothing remembered, says whether it is there: it cannot be wrong
//! after a crash, and no process id can be mistaken for another's.

use std::collections::HashSet;
use std::fs::File;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use kiln_agent::agent;
use kiln_agent::plan::Plan;
use kiln_agent::removal::remove_instance;
use kiln_agent::spool::{SPOOL_FILE, SpoolReader};

use crate::fitting::{Fitting, fit, up_to};
use crate::instance_types::{InstanceTypes, Size};
use crate::machine::{Machine, Room};
use crate::{Claim, Engine, EngineError, Fit, Leftovers, NoCapacity, Presence, Share};

/// How often an agent's lock is looked at.
const WATCH: Duration = Duration::from_millis(300);
/// How many looks an agent that was only just spawned gets to take its lock: half
/// a minute, for a machine that is hopelessly busy.
const BEGIN_PATIENCE: u32 = 100;
/// The agent's own diagnostics, in the instance's directory.
const AGENT_LOG: &str = "agent.log";

/// How a local engine is set up.
#[derive(Debug, Clone)]
pub struct LocalSettings {
    /// The program whose `agent DIRECTORY` command is an agent.
    pub program: PathBuf,
    /// Where instances have their directories.
    pub instances: PathBuf,
    /// What jobs may have of this machine between them.
    pub room: Room,
    /// What instance types promise.
    pub types: InstanceTypes,
    /// What becomes of jobs that are promised more than there is.
    pub fitting: Fitting,
}

/// This machine.
#[derive(Debug)]
pub struct LocalEngine {
    program: PathBuf,
    instances: PathBuf,
    room: Room,
    types: InstanceTypes,
    fitting: Fitting,
    machine: Mutex<Machine>,
    /// Instances whose agents are this server's children.
    begun: Arc<Mutex<HashSet<String>>>,
    /// Instances whose agents were this server's children, and have ended.
    ended: Arc<Mutex<HashSet<String>>>,
}

impl LocalEngine {
    /// Makes the instances' directory, which only this user may enter.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(settings: LocalSettings) -> Result<Self, EngineError> {
        let LocalSettings {
            program,
            instances,
            room,
            types,
            fitting,
        } = settings;
        make_private(&instances).map_err(EngineError::io("making the instances' directory"))?;
        Ok(Self {
            program,
            instances,
            machine: Mutex::new(Machine::new(room.clone())),
            room,
            types,
            fitting,
            begun: Arc::default(),
            ended: Arc::default(),
        })
    }

    fn directory(&self, instance: &str) -> PathBuf {
        self.instances.join(instance)
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        locked(&self.machine)
    }

    fn has_ended(&self, instance: &str) -> bool {
        locked(&self.ended).contains(instance)
    }

    /// Whether an agent without a lock may be about to take it.
    fn is_starting(&self, instance: &str, presence: Presence) -> bool {
        match presence {
            Presence::NotBegun => !self.has_ended(instance),
            // One that goes on where another was has found that one's spool.
            Presence::Gone => locked(&self.begun).contains(instance),
            Presence::Alive | Presence::Absent => false,
        }
    }

    fn spawn(&self, instance: &str, directory: &Path) -> std::io::Result<()> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(directory.join(AGENT_LOG))?;
        let mut command = Command::new(&self.program);
        command
            .arg0("kiln")
            .arg("agent")
            .arg(directory)
            .current_dir(directory)
            .stdin(Stdio::null());
        command.stdout(log.try_clone()?).stderr(log);
        // SAFETY: setsid is async-signal-safe and touches no memory.
        unsafe {
            command.pre_exec(|| {
                nix::unistd::setsid()
                    .map(drop)
                    .map_err(std::io::Error::from)
            });
        }
        locked(&self.ended).remove(instance);
        let mut child = command.spawn()?;
        locked(&self.begun).insert(instance.to_owned());
        let (begun, ended) = (self.begun.clone(), self.ended.clone());
        let instance = instance.to_owned();
        // While this server lives it is the parent, and must take the exit status.
        std::thread::Builder::new()
            .name("kiln-agent-wait".to_owned())
            .spawn(move || {
                let waited = child.wait();
                locked(&begun).remove(&instance);
                locked(&ended).insert(instance);
                waited
            })?;
        Ok(())
    }
}

#[async_trait]
impl Engine for LocalEngine {
    fn fit(&self, types: &[&str]) -> Result<Fit, NoCapacity> {
        let sized = types.iter().map(|name| (*name, self.types.size(name)));
        let hosts: Vec<_> = sized.collect();
        fit(&self.room, &hosts, self.fitting)
    }

    fn up_to(&self, most: &Size) -> Share {
        up_to(&self.room, most)
    }

    fn admit(&self, instances: &[(String, Share)]) -> Option<Vec<Claim>> {
        self.machine().admit(instances)
    }

    fn fits_without(&self, instances: &[(String, Share)], gone: &[String]) -> bool {
        let mut machine = self.machine().clone();
        gone.iter().for_each(|instance| machine.release(instance));
        machine.admit(instances).is_some()
    }

    fn adopt(&self, instance: &str, claim: &Claim) {
        self.machine().adopt(instance, claim);
    }

    fn release(&self, instance: &str) {
        self.machine().release(instance);
    }

    async fn place(&self, plan: &Plan) -> Result<(), EngineError> {
        let instance = &plan.assignment().instance;
        let directory = self.directory(instance);
        make_private(&directory).map_err(EngineError::io("making the instance's directory"))?;
        plan.write(&directory)
            .map_err(EngineError::io("writing the plan"))?;
        self.spawn(instance, &directory)
            .map_err(EngineError::io("starting the agent"))
    }

    fn presence(&self, instance: &str) -> Presence {
        let directory = self.directory(instance);
        if !directory.exists() {
            return Presence::Absent;
        }
        match agent::lock(&directory) {
            // What cannot be known must not end a job.
            Ok(None) | Err(_) => Presence::Alive,
            _ if directory.join(SPOOL_FILE).exists() => Presence::Gone,
            _ => Presence::NotBegun,
        }
    }

    async fn departed(&self, instance: &str) {
        let mut patience = BEGIN_PATIENCE;
        loop {
            tokio::time::sleep(WATCH).await;
            match self.presence(instance) {
                Presence::Alive => {}
                presence if patience > 0 && self.is_starting(instance, presence) => patience -= 1,
                Presence::Absent | Presence::NotBegun | Presence::Gone => return,
            }
        }
    }

    fn leftovers(&self, instance: &str, after: u64) -> Result<Leftovers, EngineError> {
        let directory = self.directory(instance);
        if !directory.join(SPOOL_FILE).exists() {
            return Ok(Leftovers::none());
        }
        let spool = SpoolReader::open(&directory);
        let spool = spool.map_err(EngineError::io("reading what an agent left"))?;
        Ok(Leftovers::above(after, spool))
    }

    fn strays(&self, known: &HashSet<String>) -> Result<Vec<String>, EngineError> {
        let listed = self
            .instances
            .read_dir()
            .map_err(EngineError::io("looking for instances"))?;
        let names = listed.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let is_stray = |name: &String| {
            !known.contains(name)
                && matches!(self.presence(name), Presence::Gone | Presence::NotBegun)
        };
        Ok(names.filter(is_stray).collect())
    }

    async fn clear(&self, instance: &str) -> Result<(), EngineError> {
        let directory = self.directory(instance);
        kiln_agent::image::clear(&directory, instance).await;
        let removed = remove_instance(&directory).await;
        removed.map_err(EngineError::io("removing an instance's directory"))?;
        locked(&self.ended).remove(instance);
        Ok(())
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn make_private(directory: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
}

#[cfg(test)]
#[path = "local_tests.rs"]
mod tests;
