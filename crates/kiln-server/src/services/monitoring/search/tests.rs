//! Searches: what is read, what is found, what is refused.

use proptest::prelude::*;

use super::*;

fn metric(namespace: &str, name: &str, dimensions: &[(&str, &str)]) -> Metric {
    let dimensions = dimensions.iter();
    Metric {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        dimensions: dimensions
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    }
}

fn search(terms: &str) -> Result<Search, ExpressionError> {
    format!("SEARCH('{terms}', 'Average', 60)").parse()
}

#[test]
fn words_are_told_apart() {
    for (text, words) in [
        ("CPUUtilization", "cpu utilization"),
        ("customCount1", "custom count 1"),
        ("my-job-2026/algo-1", "my job 2026 algo 1"),
        ("train:loss", "train loss"),
        ("GPUMemory", "gpu memory"),
        ("--", ""),
    ] {
        assert_eq!(tokens::tokens(text).join(" "), words, "{text}");
    }
}

#[test]
fn searches_find_what_they_name() {
    let space = "/aws/sagemaker/TrainingJobs";
    let cpu = metric(space, "CPUUtilization", &[("Host", "my-job/algo-1")]);
    let memory = metric(space, "MemoryUtilization", &[("Host", "my-job/algo-2")]);
    let other = metric(space, "CPUUtilization", &[("Host", "other/algo-1")]);
    let all = [&cpu, &memory, &other];
    for (terms, expected) in [
        (
            "{/aws/sagemaker/TrainingJobs,Host} Host=my-job/algo-",
            "cpu memory",
        ),
        ("{/aws/sagemaker/TrainingJobs, Host}", "cpu memory other"),
        (
            "{\"/aws/sagemaker/TrainingJobs\",\"Host\"} my-job",
            "cpu memory",
        ),
        ("MetricName=\"CPUUtilization\"", "cpu other"),
        ("MetricName=CPUUtilization", "cpu other"),
        ("MetricName=\"cpuutilization\"", ""),
        ("MetricName=utilization", "cpu memory other"),
        ("cpu OR memory", "cpu memory other"),
        ("cpu my", "cpu"),
        ("cpu AND NOT other", "cpu"),
        ("NOT (cpu OR other)", "memory"),
        ("Host=(other OR \"my-job/algo-2\")", "memory other"),
        ("Host=\"my-job/algo-1\"", "cpu"),
        ("\"Host\"=my", "cpu memory"),
        ("Instance=my", ""),
        ("algo 1 OR memory", "cpu memory other"),
        ("util", ""),
        ("Namespace=sagemaker", "cpu memory other"),
        ("", "cpu memory other"),
    ] {
        let search = search(terms).unwrap();
        let found = all.iter().zip(["cpu", "memory", "other"]);
        let found = found.filter(|(metric, _)| search.finds(metric));
        let found: Vec<_> = found.map(|(_, name)| name).collect();
        assert_eq!(found.join(" "), expected, "{terms}");
    }
}

#[test]
fn the_schema_narrows_the_search() {
    let found = search("{AWS/X, B, A} term").unwrap().filter(5);
    assert_eq!(found.namespace.as_deref(), Some("AWS/X"));
    let names = found.dimension_names.unwrap();
    assert_eq!(names.iter().collect::<Vec<_>>(), ["A", "B"]);
    assert_eq!(found.since, 5);
    let open = search("term").unwrap().filter(0);
    assert_eq!((open.namespace, open.dimension_names), (None, None));
}

#[test]
fn the_arguments_are_read() {
    let read = |text: &str| text.parse::<Search>();
    let full = read(" SEARCH( '{N,D} x' , 'Sum' , 300 ) ").unwrap();
    assert_eq!((full.statistic.as_str(), full.period), ("Sum", Some(300)));
    let short = read("SEARCH('x', 'p99')").unwrap();
    assert_eq!((short.statistic.as_str(), short.period), ("p99", None));
    let escaped = read(r"SEARCH('it\'s', 'Sum')").unwrap();
    let its = metric("n", "it's", &[]);
    assert!(escaped.finds(&its));
    for (text, error) in [
        ("m1 + m2", ExpressionError::NotASearch),
        ("SELECT AVG(x) FROM y", ExpressionError::NotASearch),
        ("SUM(SEARCH('x', 'Sum'))", ExpressionError::NotASearch),
        ("SEARCH('x', 'Sum') * 2", ExpressionError::NotASearch),
        ("SEARCH('x')", ExpressionError::Arguments),
        ("SEARCH(x, 'Sum')", ExpressionError::Arguments),
        ("SEARCH('x', 'Sum', y)", ExpressionError::Arguments),
        ("SEARCH('x', 'Sum', 60", ExpressionError::Arguments),
        ("SEARCH('x", ExpressionError::Quotes),
        ("SEARCH('\"x', 'Sum')", ExpressionError::Quotes),
        ("SEARCH('{x', 'Sum')", ExpressionError::Schema),
        ("SEARCH('{}', 'Sum')", ExpressionError::Schema),
        ("SEARCH('a OR', 'Sum')", ExpressionError::Terms),
        ("SEARCH('(a', 'Sum')", ExpressionError::Terms),
        ("SEARCH('a)', 'Sum')", ExpressionError::Terms),
        ("SEARCH('a=', 'Sum')", ExpressionError::Terms),
        ("SEARCH('OR a', 'Sum')", ExpressionError::Terms),
    ] {
        assert_eq!(read(text), Err(error), "{text}");
    }
    let deep = format!("{}a{}", "(".repeat(40), ")".repeat(40));
    assert_eq!(search(&deep), Err(ExpressionError::TooDeep));
    let negated = format!("{}a", "NOT ".repeat(40));
    assert_eq!(search(&negated), Err(ExpressionError::TooDeep));
}

proptest! {
    #[test]
    fn no_expression_is_too_odd(text in ".{0,60}", terms in "[a-zA-Z(){}=\", ORNOT]{0,60}") {
        let _ = text.parse::<Search>();
        let _ = search(&terms);
    }

    #[test]
    fn a_name_is_found_by_its_own_words(name in "[a-zA-Z0-9_/:-]{1,30}") {
        prop_assume!(!["AND", "OR", "NOT"].contains(&name.as_str()));
        let metric = metric("n", &name, &[]);
        for terms in [format!("MetricName={name}"), format!("MetricName=\"{name}\"")] {
            prop_assert!(search(&terms).unwrap().finds(&metric), "{}", terms);
        }
    }
}
