//! What the accelerators of deployment instances can run, by what vLLM has kernels for.

use super::error::OptionsError;

/// What the result of an optimization needs of the accelerator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    /// Weights of few bits, unpacked on the way to activations of sixteen (Marlin).
    WeightOnly,
    /// AutoAWQ's layout.
    Awq,
    /// GPTQ's layout.
    Gptq,
    /// Eight-bit integers multiplied with each other.
    Int8,
    /// Eight-bit floating point multiplied with each other.
    Fp8,
    /// Nothing special but vLLM: a sharded model.
    Unquantized,
    /// llama.cpp.
    Gguf,
}

impl Kernel {
    fn name(self) -> &'static str {
        match self {
            Self::WeightOnly => "weights of 4 or 8 bits in compressed-tensors' layout",
            Self::Awq => "AWQ",
            Self::Gptq => "GPTQ",
            Self::Int8 => "int8 (W8A8)",
            Self::Fp8 => "fp8",
            Self::Unquantized => "vLLM's sharded_state",
            Self::Gguf => "GGUF",
        }
    }
}

/// A generation of accelerators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Generation {
    Turing,
    Ampere,
    /// Ada Lovelace and Hopper.
    Eight9,
    Blackwell,
    Neuron,
}

impl Generation {
    /// By the instance's family: `ml.g5.xlarge` is a `g5`.
    fn of(instance: &str) -> Option<Self> {
        let family = instance.strip_prefix("ml.").unwrap_or(instance);
        let family = family.split('.').next()?;
        Some(match family {
            "g4dn" => Self::Turing,
            "g5" | "p4d" | "p4de" => Self::Ampere,
            "g6" | "g6e" | "gr6" | "p5" | "p5e" | "p5en" => Self::Eight9,
            "g7" | "g7e" | "p6-b200" => Self::Blackwell,
            "inf2" | "trn1" | "trn1n" => Self::Neuron,
            _ => return None,
        })
    }
}

/// What comes of a kernel on an accelerator.
enum Fit {
    Runs,
    With(&'static str),
    Fails(&'static str),
}

fn fit(generation: Generation, kernel: Kernel) -> Fit {
    use Generation::{Ampere, Blackwell, Neuron, Turing};
    match (generation, kernel) {
        (Neuron, _) => Fit::Fails(
            "its accelerators run what the Neuron compiler makes, and none of the formats that \
             are made here",
        ),
        (Turing, Kernel::WeightOnly) => Fit::Fails(
            "the kernel (Marlin) needs an Ampere GPU or a newer one; OPTION_QUANTIZE=awq runs on \
             its Turing GPUs",
        ),
        (Turing, Kernel::Fp8) => Fit::Fails(
            "fp8 needs an Ada, Hopper or Blackwell GPU, or an Ampere one for the weights alone",
        ),
        (Turing, Kernel::Awq | Kernel::Gptq) => {
            Fit::With("its Turing GPUs run this without Marlin, the fast kernel")
        }
        (Ampere, Kernel::Fp8) => Fit::With(
            "its Ampere GPUs have no fp8 arithmetic: the weights stay fp8, and activations keep \
             16 bits (Marlin)",
        ),
        (Blackwell, Kernel::Int8) => Fit::Fails(
            "vLLM has no kernel for int8 activations on Blackwell GPUs; OPTION_QUANTIZE=fp8 has",
        ),
        _ => Fit::Runs,
    }
}

/// What a person should know of running a result on an instance.
///
/// # Errors
/// When it cannot run there.
pub fn remarks(instance: &str, kernel: Kernel) -> Result<Vec<String>, OptionsError> {
    let Some(generation) = Generation::of(instance) else {
        let remark = format!("nothing is known of what {instance} can run");
        return Ok(vec![remark]);
    };
    match fit(generation, kernel) {
        Fit::Runs => Ok(Vec::new()),
        Fit::With(remark) => Ok(vec![format!("{instance}: {remark}")]),
        Fit::Fails(reason) => Err(OptionsError::Deployment {
            instance: instance.to_owned(),
            what: kernel.name().to_owned(),
            reason,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_where() {
        use Kernel::{Awq, Fp8, Gguf, Gptq, Int8, Unquantized, WeightOnly};
        let all = [WeightOnly, Awq, Gptq, Int8, Fp8, Unquantized, Gguf];
        // r: runs, m: runs with a remark, -: is refused.
        for (instance, expected) in [
            ("ml.g4dn.xlarge", "-mmr-rr"),
            ("ml.g5.2xlarge", "rrrrmrr"),
            ("ml.p4d.24xlarge", "rrrrmrr"),
            ("ml.g6.xlarge", "rrrrrrr"),
            ("ml.g6e.xlarge", "rrrrrrr"),
            ("ml.p5en.48xlarge", "rrrrrrr"),
            ("ml.p6-b200.48xlarge", "rrr-rrr"),
            ("ml.g7e.2xlarge", "rrr-rrr"),
            ("ml.inf2.xlarge", "-------"),
            ("ml.trn1n.32xlarge", "-------"),
            ("ml.q9.xlarge", "mmmmmmm"),
        ] {
            let found = all.map(|kernel| match remarks(instance, kernel) {
                Ok(remarks) if remarks.is_empty() => 'r',
                Ok(_) => 'm',
                Err(_) => '-',
            });
            assert_eq!(String::from_iter(found), expected, "{instance}");
        }
    }
}
