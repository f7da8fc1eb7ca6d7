//! The processor features that the compilers know. They only warn of others, and would
//! build as if nothing had been said.

use super::Arch;

/// Those of x86. How fast something is, and modes of the whole system, are none.
const X86: &str = "\
    adx aes amx-avx512 amx-bf16 amx-complex amx-fp16 amx-fp8 amx-int8 amx-movrs amx-tile avx \
    avx10.1 avx10.2 avx2 avx512bf16 avx512bitalg avx512bw avx512cd avx512dq avx512f avx512fp16 \
    avx512ifma avx512vbmi avx512vbmi2 avx512vl avx512vnni avx512vp2intersect avx512vpopcntdq \
    avxifma avxneconvert avxvnni avxvnniint16 avxvnniint8 bmi bmi2 ccmp cf cldemote clflushopt \
    clwb clzero cmov cmpccxadd crc32 cx16 cx8 egpr enqcmd f16c fma fma4 fsgsbase fxsr gfni hreset \
    invpcid kl lwp lzcnt mmx movbe movdir64b movdiri movrs mwaitx ndd nf pclmul pconfig pku \
    popcnt ppx prefetchi prfchw ptwrite push2pop2 raoint rdpid rdpru rdrnd rdseed rtm sahf \
    serialize sgx sha sha512 shstk sm3 sm4 sse sse2 sse3 sse4.1 sse4.2 sse4a ssse3 tbm tsxldtrk \
    uintr usermsr vaes vpclmulqdq waitpkg wbnoinvd widekl x87 xop xsave xsavec xsaveopt xsaves zu";

/// Those of 64-bit ARM.
const ARM64: &str = "\
    aes altnzcv am amvs bf16 brbe bti ccdp ccidx ccpp chk clrbhb cmpbr complxnum cpa crc crypto \
    cssc d128 dit dotprod ecv ete f32mm f64mm f8f16mm f8f32mm faminmax fgt flagm fp-armv8 fp16fml \
    fp8 fp8dot2 fp8dot4 fp8fma fpac fprcvt fptoint fullfp16 gcs hbc i8mm ite jsconv lor ls64 lse \
    lse128 lse2 lsfe lsui lut mec mops mpam mte neon nmi nv occmo pan pan-rwv pauth pauth-lr \
    perfmon pops predres rand ras rasv2 rcpc rcpc-immo rcpc3 rdm rme sb sel2 sha2 sha3 sm4 sme \
    sme-b16b16 sme-f16f16 sme-f64f64 sme-f8f16 sme-f8f32 sme-fa64 sme-i16i64 sme-lutv2 sme2 \
    sme2p1 sme2p2 spe spe-eef specres2 specrestrict ssbs ssve-fp8dot2 ssve-fp8dot4 ssve-fp8fma \
    strict-align sve sve-aes sve-b16b16 sve-bfscale sve-bitperm sve2 sve2-aes sve2-bitperm \
    sve2-sha3 sve2-sm4 sve2p1 sve2p2 tev the tlb-rmi tme tracev8.4 trbe v8.1a v8.2a v8.3a v8.4a \
    v8.5a v8.6a v8.7a v8.8a v8.9a v8a v9.1a v9.2a v9.3a v9.4a v9.5a v9.6a v9a vh wfxt xs";

/// Those of 32-bit ARM.
const ARM: &str = "\
    aes bf16 crc crypto d32 db dotprod dsp fp-armv8 fp-armv8d16 fp-armv8d16sp fp-armv8sp fp16 \
    fp16fml fp64 fullfp16 hwdiv hwdiv-arm i8mm mp neon perfmon ras sb sha2 soft-float \
    strict-align thumb2 trustzone v7 v8 v8.1a v8.2a v8.3a v8.4a v8.5a v8.6a v9a vfp2 vfp2sp vfp3 \
    vfp3d16 vfp3d16sp vfp3sp vfp4 vfp4d16 vfp4d16sp vfp4sp virtualization";

/// How GCC calls what LLVM calls otherwise, and with it the service's documentation.
const OTHER_NAMES: [(&str, &str); 5] = [
    ("vfpv2", "vfp2"),
    ("vfpv3", "vfp3"),
    ("vfpv3-d16", "vfp3d16"),
    ("vfpv4", "vfp4"),
    ("vfpv4-d16", "vfp4d16"),
];

/// A feature, with the sign before it, as LLVM writes it; none for one that processors of
/// the architecture do not have.
pub(super) fn named(arch: Arch, feature: &str) -> Option<String> {
    let (sign, name) = feature.split_at_checked(1)?;
    let list = match arch {
        Arch::X86_64 | Arch::X86 => X86,
        Arch::Arm64 => ARM64,
        Arch::ArmEabihf | Arch::ArmEabi => ARM,
    };
    let other = OTHER_NAMES.iter().find(|(other, _)| *other == name);
    let name = other.map_or(name, |(_, name)| *name);
    let is_known = list
        .split(' ')
        .any(|known| known == name && !name.is_empty());
    is_known.then(|| format!("{sign}{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_those_of_the_architecture() {
        for (arch, given, expected) in [
            (Arch::X86_64, "+avx2", Some("+avx2")),
            (Arch::X86, "-sse4.2", Some("-sse4.2")),
            (Arch::X86_64, "+neon", None),
            (Arch::X86_64, "+avx9000", None),
            (Arch::Arm64, "+neon", Some("+neon")),
            (Arch::ArmEabi, "+vfpv4", Some("+vfp4")),
            (Arch::ArmEabihf, "+vfp4", Some("+vfp4")),
            (Arch::Arm64, "+vfpv4", None),
            (Arch::ArmEabihf, "+", None),
            (Arch::ArmEabihf, "", None),
        ] {
            assert_eq!(named(arch, given).as_deref(), expected, "{arch:?} {given}");
        }
    }
}
