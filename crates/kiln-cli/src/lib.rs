//! `kiln sagemaker`: the AWS CLI's `aws sagemaker` as a native program, for the
//! operations that Kiln serves, against Kiln or the cloud.
//!
//! It takes the same options and files, and prints the same bytes. An invocation
//! is read from top to bottom here: options, request, settings, call, output.
//! Nothing is built at start: the model is static data, the client has one
//! thread, and certificates are read only for `https`.

mod answer;
mod client;
mod completion;
mod config;
mod failure;
mod flags;
#[cfg(test)]
mod fuzz;
#[rustfmt::skip]
mod generated;
mod globals;
mod help;
mod json;
mod log;
mod model;
mod output;
mod paginate;
mod parameters;
mod paramfile;
mod prompt;
mod python;
mod query;
mod shorthand;
mod skeleton;
mod timestamp;
mod transport;
mod typed;
mod usage;
mod validate;
mod value;
mod wait;
mod yaml;

use std::ffi::OsString;

pub use completion::{CommandOption, CommandWord, command_line};

use client::Client;
use config::Settings;
use failure::Failure;
use flags::{Flag, Parsed};
use globals::Globals;
use model::Operation;
use output::Answer;
use paginate::Paging;
use usage::invalid_choice;
use value::Members;

/// Runs an invocation, given what comes after `kiln sagemaker`, and answers its
/// exit status.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    match texts(arguments).and_then(|arguments| invocation(&arguments)) {
        Ok(()) => 0,
        Err(failure) => {
            log::complain(&failure.to_string());
            failure.status()
        }
    }
}

/// The arguments as texts. What is none would be something else in the request.
fn texts(arguments: impl IntoIterator<Item = OsString>) -> Result<Vec<String>, Failure> {
    let text = |argument: OsString| {
        argument.into_string().map_err(|argument| {
            let argument = argument.to_string_lossy();
            Failure::Parameter(format!("The argument \"{argument}\" is not valid UTF-8."))
        })
    };
    arguments.into_iter().map(text).collect()
}

fn invocation(arguments: &[String]) -> Result<(), Failure> {
    let parsed = flags::parse(&globals::flags(), arguments)?;
    if parsed.words("--version").is_some() {
        output::put(&format!("{}\n", globals::VERSION));
        return Ok(());
    }
    let globals = Globals::read(&parsed)?;
    // The first word was the operation, wherever it stood.
    let command = match parsed.positional {
        None if config::auto_prompt(&globals)? => prompt::operation()?,
        named => named,
    };
    let command = command.ok_or_else(|| missing("operation"))?;
    match command.as_str() {
        "help" => {
            output::put(&help::service());
            Ok(())
        }
        "wait" => wait_for(&globals, &parsed.rest),
        name => match model::by_command(name) {
            Some(operation) => perform(operation, &globals, &parsed.rest),
            None => Err(unknown_operation(name)),
        },
    }
}

fn perform(operation: &Operation, globals: &Globals, arguments: &[String]) -> Result<(), Failure> {
    let name = model::hyphenated(operation.name);
    let Some(parsed) = options(operation, &name, globals, arguments)? else {
        return Ok(());
    };
    let paging = Paging::read(operation.name, &parsed, globals.paginate)?;
    let request = parameters::request(operation, &parsed)?;
    if paging.as_ref().is_some_and(Paging::is_odd) {
        log::complain(
            "warning: Non-positive values for --max-items may result in undefined behavior.",
        );
    }
    if let Some(kind) = skeleton_asked_for(&parsed) {
        return print_skeleton(operation, kind, request, globals);
    }
    let settings = Settings::gather(globals)?;
    let client = Client::new(&settings)?;
    let call = |request| client.call(operation, request);
    let answer = match paging {
        Some(paging) => Answer::Pages(paginate::pages(operation.name, request, &paging, call)?),
        None => Answer::Whole(call(request)?),
    };
    output::print(operation.name, answer, settings.output, globals)
}

fn wait_for(globals: &Globals, arguments: &[String]) -> Result<(), Failure> {
    let (waiter, rest) = match flags::parse(&[], arguments)? {
        Parsed {
            positional: Some(waiter),
            rest,
            ..
        } => (waiter, rest),
        _ => {
            return Err(Failure::Parameter(
                "usage: aws [options] <command> <subcommand> [parameters]\naws: error: too few \
                 arguments"
                    .to_owned(),
            ));
        }
    };
    if !wait::NAMES.contains(&waiter.as_str()) {
        let names = wait::NAMES.map(str::to_owned);
        return Err(Failure::Usage(invalid_choice(
            "subcommand",
            &waiter,
            &names,
        )));
    }
    let operation = model::by_name(wait::OPERATION).filter(|_| waiter == wait::TRAINING_JOB);
    let Some(operation) = operation else {
        return Err(not_served(&waiter));
    };
    let Some(parsed) = options(operation, &waiter, globals, &rest)? else {
        return Ok(());
    };
    let request = parameters::request(operation, &parsed)?;
    if let Some(kind) = skeleton_asked_for(&parsed) {
        return print_skeleton(operation, kind, request, globals);
    }
    let settings = Settings::gather(globals)?;
    wait::wait(&Client::new(&settings)?, operation, &request)
}

/// Reads the options of an operation. None means that only help was wanted.
fn options(
    operation: &Operation,
    name: &str,
    globals: &Globals,
    arguments: &[String],
) -> Result<Option<Parsed>, Failure> {
    let flags: Vec<Flag> = parameters::flags(operation, arguments);
    if arguments == ["help"] {
        output::put(&help::operation(name, &flags));
        return Ok(None);
    }
    let mut parsed = flags::parse(&flags, arguments)?;
    if config::auto_prompt(globals)? {
        parsed = flags::parse(&flags, &prompt::complete(&flags, &parsed, arguments)?)?;
    }
    flags::require(&flags, &parsed)?;
    let mut unknown = std::mem::take(&mut parsed.rest);
    unknown.extend(parsed.positional.take());
    if unknown.is_empty() {
        Ok(Some(parsed))
    } else {
        Err(Failure::UnknownOptions(unknown.join(", ")))
    }
}

/// Which skeleton is wanted, if any is.
fn skeleton_asked_for(parsed: &Parsed) -> Option<&str> {
    let kind = parsed.words(parameters::SKELETON)?;
    Some(kind.first().map_or("input", String::as_str))
}

fn print_skeleton(
    operation: &Operation,
    kind: &str,
    request: Members,
    globals: &Globals,
) -> Result<(), Failure> {
    match kind {
        "output" => {
            validate::request(operation, request)?;
            let answer = Answer::Whole(skeleton::output(operation));
            output::print(
                operation.name,
                answer,
                config::output_alone(globals)?,
                globals,
            )
        }
        "yaml-input" => {
            output::put(&skeleton::yaml_input(operation));
            Ok(())
        }
        _ => {
            output::put(&format!(
                "{}\n",
                json::indented(&skeleton::input(operation))
            ));
            Ok(())
        }
    }
}

fn missing(argument: &str) -> Failure {
    Failure::Usage(format!("the following arguments are required: {argument}"))
}

/// The complaint about a name that is no operation, or none that Kiln serves.
fn unknown_operation(name: &str) -> Failure {
    let operations = kiln_model::operations().iter();
    let mut names: Vec<String> = operations
        .map(|operation| model::hyphenated(operation.name()))
        .collect();
    if names.iter().any(|known| known == name) {
        return not_served(name);
    }
    names.extend(["wait", "help"].map(str::to_owned));
    Failure::Usage(invalid_choice("operation", name, &names))
}

fn not_served(name: &str) -> Failure {
    Failure::Parameter(format!(
        "kiln sagemaker has the operations that Kiln serves, and {name} is none of them; `kiln \
         sagemaker help` lists them."
    ))
}
