//! `kiln completions`, and the answers that a shell asks for afterwards: commands,
//! options, and the names of jobs.

use std::ffi::OsStr;
use std::time::Duration;

use clap::{Arg, ArgAction, Args, Command, CommandFactory, ValueEnum};
use clap_complete::CompleteEnv;
use clap_complete::engine::CompletionCandidate;
use clap_complete::env::Shells;
use kiln_cli::{CommandOption, CommandWord};

use super::{Failure, Kiln, jobs};
use crate::connection::{Server, Session};
use crate::terminal::print;

/// Set by the shell's hook when it asks. `COMPLETE`, which is the usual name, may
/// mean something else to others.
const VARIABLE: &str = "KILN_COMPLETE";
const PROGRAM: &str = "kiln";
/// Jobs among which a name is completed.
const JOBS: usize = 200;
/// A key was pressed, and somebody looks at the line.
const PATIENCE: Duration = Duration::from_secs(5);

/// The options of `kiln completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell that is to complete `kiln`.
    shell: Shell,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Elvish,
    Fish,
    Powershell,
    Zsh,
}

impl Completions {
    /// Prints the shell's hook.
    pub fn run(&self) -> Result<(), Failure> {
        let name = match self.shell {
            Shell::Bash => "bash",
            Shell::Elvish => "elvish",
            Shell::Fish => "fish",
            Shell::Powershell => "powershell",
            Shell::Zsh => "zsh",
        };
        let shells = Shells::builtins();
        let shell = shells.completer(name).ok_or("the shell is not known")?;
        let mut hook = Vec::new();
        shell.write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut hook)?;
        print(&String::from_utf8(hook)?)?;
        Ok(())
    }
}

/// Answers a shell that asks what a line can become, and ends the process then.
pub fn answer_the_shell() {
    if std::env::var_os(VARIABLE).is_some() {
        CompleteEnv::with_factory(whole_command)
            .var(VARIABLE)
            .complete();
    }
}

/// The command with the operations of `kiln sagemaker`, which otherwise reads its
/// command line itself.
fn whole_command() -> Command {
    let line = kiln_cli::command_line();
    Kiln::command().mut_subcommand(line.name.clone(), |plain| {
        let about = plain.get_about().cloned().unwrap_or_default();
        command(line).about(about)
    })
}

fn command(word: CommandWord) -> Command {
    // What may stand before an operation may also follow it.
    let is_global = !word.words.is_empty();
    let options = word.options.into_iter().map(argument);
    Command::new(word.name)
        .disable_help_flag(true)
        .args(options.map(|option| option.global(is_global)))
        .subcommands(word.words.into_iter().map(command))
}

fn argument(option: CommandOption) -> Arg {
    let (least, most) = option.takes;
    let argument = Arg::new(option.name.clone()).long(option.name);
    if most == 0 {
        return argument.action(ArgAction::SetTrue);
    }
    let argument = argument.num_args(least..=most);
    if option.values.is_empty() {
        argument
    } else {
        argument.value_parser(option.values.to_vec())
    }
}

/// The names of jobs that begin so. Where no server answers there are none.
pub fn job_names(beginning: &OsStr) -> Vec<CompletionCandidate> {
    let Some(beginning) = beginning.to_str() else {
        return Vec::new();
    };
    let mut names = Vec::new();
    let asked = Server::default().run(async |session: &Session| {
        let found = jobs::newest(&session.client, None, JOBS);
        for job in tokio::time::timeout(PATIENCE, found).await?? {
            if job.name().starts_with(beginning) {
                let status = job.status().to_owned();
                names.push(CompletionCandidate::new(job.name()).help(Some(status.into())));
            }
        }
        Ok(())
    });
    // Nothing can be said in the middle of a line.
    drop(asked);
    names
}
