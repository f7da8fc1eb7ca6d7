//! What the processor of this machine can do, of what code may take for granted.

/// Whether it can do all that LLVM takes for granted of a processor, and these features.
#[cfg(target_arch = "x86_64")]
pub(super) fn has(cpu: Option<&str>, features: &[String]) -> bool {
    let wanted = features
        .iter()
        .filter_map(|feature| feature.strip_prefix('+'));
    needs(cpu).is_some_and(|mut needed| needed.all(knows)) && wanted.into_iter().all(knows)
}

/// Elsewhere nothing but the least is taken for granted.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn has(cpu: Option<&str>, features: &[String]) -> bool {
    let wanted = features.iter().any(|feature| feature.starts_with('+'));
    matches!(cpu, None | Some("generic")) && !wanted
}

/// What code for processors of each generation may use beyond that of the one before.
#[cfg(target_arch = "x86_64")]
const GENERATIONS: [(&[&str], &[&str]); 6] = [
    (&["x86-64", "generic"], &[]),
    (
        &["x86-64-v2", "nehalem", "westmere", "goldmont", "silvermont"],
        &["sse4.2", "popcnt"],
    ),
    (&["sandybridge", "ivybridge"], &["avx"]),
    (
        &[
            "x86-64-v3",
            "haswell",
            "broadwell",
            "skylake",
            "znver1",
            "znver2",
            "znver3",
        ],
        &["avx2", "fma", "bmi2", "f16c"],
    ),
    (
        &["x86-64-v4", "skylake-avx512"],
        &["avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"],
    ),
    (&["cascadelake"], &["avx512vnni"]),
];

/// The features of a processor; none for one that nobody knows here.
#[cfg(target_arch = "x86_64")]
fn needs(cpu: Option<&str>) -> Option<impl Iterator<Item = &'static str>> {
    let cpu = cpu.unwrap_or("x86-64");
    let last = GENERATIONS
        .iter()
        .position(|(names, _)| names.contains(&cpu))?;
    Some(
        GENERATIONS[..=last]
            .iter()
            .flat_map(|(_, features)| *features)
            .copied(),
    )
}

/// Whether the processor has a feature that is known here.
#[cfg(target_arch = "x86_64")]
fn knows(feature: &str) -> bool {
    match feature {
        "sse" | "sse2" => true,
        "sse3" => is_x86_feature_detected!("sse3"),
        "ssse3" => is_x86_feature_detected!("ssse3"),
        "sse4.1" => is_x86_feature_detected!("sse4.1"),
        "sse4.2" => is_x86_feature_detected!("sse4.2"),
        "popcnt" => is_x86_feature_detected!("popcnt"),
        "avx" => is_x86_feature_detected!("avx"),
        "avx2" => is_x86_feature_detected!("avx2"),
        "fma" => is_x86_feature_detected!("fma"),
        "bmi2" => is_x86_feature_detected!("bmi2"),
        "f16c" => is_x86_feature_detected!("f16c"),
        "avx512f" => is_x86_feature_detected!("avx512f"),
        "avx512bw" => is_x86_feature_detected!("avx512bw"),
        "avx512cd" => is_x86_feature_detected!("avx512cd"),
        "avx512dq" => is_x86_feature_detected!("avx512dq"),
        "avx512vl" => is_x86_feature_detected!("avx512vl"),
        "avx512vnni" => is_x86_feature_detected!("avx512vnni"),
        _ => false,
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    #[test]
    fn the_least_is_had_and_what_nobody_knows_is_not() {
        let plus = |feature: &str| vec![feature.to_owned()];
        assert!(has(None, &[]));
        assert!(has(Some("x86-64"), &plus("-avx512f")));
        assert!(!has(Some("a-processor-to-come"), &[]));
        assert!(!has(None, &plus("+amx-tile")));
        assert_eq!(has(None, &plus("+avx2")), is_x86_feature_detected!("avx2"));
        let newest: Vec<_> = needs(Some("cascadelake")).unwrap().collect();
        assert!(newest.contains(&"sse4.2") && newest.contains(&"avx512vnni"));
    }
}
