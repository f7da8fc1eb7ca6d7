//! The agent process: one instance of one attempt, from its plan to its end.

use std::convert::Infallible;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kiln_data::{Credentials, Objects, Patience, Transport};
use tokio::sync::watch;

use crate::bodies::ShownBodies;
use crate::compilation::Compilation;
use crate::courier::Courier;
use crate::life::Life;
use crate::optimization::Optimization;
use crate::plan::{Assignment, Plan, StorePlan};
use crate::removal::remove_instance;
use crate::report::{Ending, Orders, Report, SERVER_HEADER};
use crate::spool::{Past, Spool};
use crate::surroundings::Surroundings;
use crate::{AgentError, work};

/// The file an agent holds locked as long as it lives.
pub const LOCK_FILE: &str = "agent.lock";

/// This very program, also after its file was replaced or deleted.
pub const PROGRAM: &str = "/proc/self/exe";

/// A watcher that looks at the lock holds it for an instant, so an agent tries
/// this often, this long apart, before it believes that another one is there.
const LOCK_TRIES: u32 = 50;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// Takes the lock that says this instance's agent is alive; `None` when it is
/// held already.
///
/// # Errors
/// When the file cannot be made.
pub fn lock(directory: &Path) -> std::io::Result<Option<File>> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(directory.join(LOCK_FILE))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Lives the instance whose directory this is, reports all of it, and removes
/// the directory: a host that is not the first of its cluster does so only when
/// the first has stored what all have made. Where something of the container may
/// be left, the directory stays too: the server looks for that, by what is
/// written there, and removes it. Does nothing when another agent is at it. Where
/// one has died at it, it is gone on with, if its kind of work can be.
///
/// # Errors
/// When there is no usable plan, or the control plane disowns the instance or
/// finds fault with what it reports.
pub async fn run(directory: &Path) -> Result<(), AgentError> {
    let Some(_alive) = lock_patiently(directory).await? else {
        return Ok(());
    };
    take_name();
    raise_descriptor_limit();
    let plan = Plan::read(directory).map_err(AgentError::io("reading the plan"))?;
    let (spool, past) = open_spool(&plan, directory)?;
    let spool = Arc::new(spool);
    let http = client(Transport::Plain)?;
    let courier = Courier::new(http.clone(), plan.assignment());
    let (give, orders) = watch::channel(Orders::default());
    let instance = plan.assignment().instance.clone();
    let is_first = plan.is_first();
    let unsettled = Arc::new(AtomicBool::new(false));
    let surroundings = Surroundings {
        objects: objects(http, plan.assignment(), &courier)?,
        directory: directory.to_owned(),
        spool: spool.clone(),
        orders: orders.clone(),
        unsettled: unsettled.clone(),
    };
    let listening = listen(&courier, directory, give);
    tokio::pin!(listening);
    let watched = spool.watch();
    let dead = instance.clone();
    let living = async move {
        if past.has_ended {
            return Ok(());
        }
        if past.has_begun {
            work::clear(directory, &dead).await;
        }
        let ending = live(plan, surroundings).await;
        spool
            .append([Report::Ended(ending)])
            .map_err(AgentError::io("writing down the end"))
    };
    let delivered = courier.deliver_all(directory, watched);
    // Being disowned drops the life, and with it the container.
    let lived = tokio::select! {
        biased;
        lived = async { tokio::try_join!(delivered, living) } => lived.map(drop),
        lost = &mut listening => lost.map(|never| match never {}),
    };
    if lived.is_ok() && !is_first {
        // The first host stores what this one has made, and reads it here.
        tokio::select! {
            biased;
            () = first_has_ended(orders) => {}
            Err(lost) = &mut listening => match lost {
                // Nobody wants it any more.
                AgentError::Disowned => {}
                // The first host may still read it.
                refused => return Err(refused),
            },
        }
    }
    if matches!(lived, Err(AgentError::Disowned)) {
        // The life was dropped wherever it was.
        work::clear(directory, &instance).await;
    }
    // After any other failure the spool holds what the server has yet to read.
    let is_over = matches!(lived, Ok(()) | Err(AgentError::Disowned));
    if is_over && !unsettled.load(Ordering::Relaxed) {
        let removed = remove_instance(directory).await;
        removed.map_err(AgentError::io("removing the instance's directory"))?;
    }
    lived
}

fn open_spool(plan: &Plan, directory: &Path) -> Result<(Spool, Past), AgentError> {
    let opened = if plan.goes_on() {
        Spool::resume(directory, plan.reported())
    } else {
        Spool::create(directory).map(|spool| (spool, Past::default()))
    };
    opened.map_err(AgentError::io("opening the spool"))
}

/// Lives an instance to its end, by what its work is.
async fn live(plan: Plan, surroundings: Surroundings) -> Ending {
    match plan {
        Plan::Training(plan) => Life::new(*plan, surroundings).live().await,
        Plan::Compilation(plan) => Compilation::new(*plan, surroundings).live().await,
        Plan::Optimization(plan) => Optimization::new(*plan, surroundings).live().await,
    }
}

/// Calls this process what it is where processes are listed by name; the program
/// was started by a path that says nothing.
fn take_name() {
    // A process without a name of its own works as well.
    let _ = nix::sys::prctl::set_name(c"kiln-agent");
}

/// A container's connections all pass through the agent, so it takes as many
/// descriptors as it may have.
pub fn raise_descriptor_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, most)| setrlimit(Resource::RLIMIT_NOFILE, most, most));
    if let Err(error) = raised {
        tracing::warn!(%error, "the limit of open descriptors stays as it is");
    }
}

async fn lock_patiently(directory: &Path) -> Result<Option<File>, AgentError> {
    for _ in 0..LOCK_TRIES {
        let locked = lock(directory).map_err(AgentError::io("locking the instance"))?;
        if locked.is_some() {
            return Ok(locked);
        }
        tokio::time::sleep(LOCK_PAUSE).await;
    }
    Ok(None)
}

/// Passes on what the control plane wants, for as long as it knows the instance.
async fn listen(
    courier: &Courier,
    directory: &Path,
    give: watch::Sender<Orders>,
) -> Result<Infallible, AgentError> {
    loop {
        let known = *give.borrow();
        give.send_replace(courier.next_orders(directory, known).await?);
    }
}

/// Waits until the first host of the cluster has ended.
async fn first_has_ended(mut orders: watch::Receiver<Orders>) {
    if orders.wait_for(|orders| orders.proceed).await.is_err() {
        // Nobody listens any more, and how that ended is told elsewhere.
        std::future::pending().await
    }
}

fn client(transport: Transport) -> Result<reqwest::Client, AgentError> {
    Objects::http_client(transport).map_err(|error| AgentError::Http(error.to_string()))
}

/// The way to the store of the job's data.
fn objects(
    http: reqwest::Client,
    assignment: &Assignment,
    courier: &Courier,
) -> Result<Objects, AgentError> {
    let StorePlan {
        endpoint,
        region,
        keys,
    } = &assignment.store;
    let token = Some(&keys.session_token).filter(|token| !token.is_empty());
    let credentials = Credentials {
        access_key: keys.access_key.clone(),
        secret_key: keys.secret_key.clone(),
        session_token: token.cloned(),
    };
    let Some(endpoint) = endpoint.clone() else {
        let control = assignment.site.control.clone();
        let location = Arc::new(move || control.current().map(|at| format!("http://{at}")));
        let objects = Objects::new(http, location, region, &credentials);
        let bodies = Arc::new(ShownBodies::new(courier.clone(), &assignment.site.data_dir));
        let objects = objects.with_local_bodies(bodies);
        return Ok(objects.with_mark(SERVER_HEADER, &assignment.server));
    };
    let http = match Transport::of(&endpoint) {
        Transport::Plain => http,
        Transport::Secure => client(Transport::Secure)?,
    };
    let location = Arc::new(move || Ok(endpoint.clone()));
    let objects = Objects::new(http, location, region, &credentials);
    Ok(objects.with_patience(Patience::EXTERNAL))
}

#[cfg(test)]
#[path = "agent_tests.rs"]
mod tests;
