//! Whether the processor has the instructions that the binary was compiled to use.
//!
//! `npm run build` compiles for x86-64-v3 where the machine at hand is of that level. Taken to an older one, such a binary would end in
//! an illegal instruction, which tells nobody what to do. What asks is compiled like everything else, so it must be of the plainest
//! integers (`qemu-x86_64 -cpu Nehalem` shows whether it is).

/// What to say where the processor lacks something.
pub(crate) const LACKING: &str = "error: this binary is for processors of x86-64-v3 (AVX2, BMI2, FMA), which this one is not: \
                                  build Ocelli on this machine, or anywhere with RUSTFLAGS=\"\"\n";

/// Whether the processor has what the binary uses.
pub(crate) fn is_enough() -> bool {
    #[cfg(all(target_arch = "x86_64", target_feature = "avx2"))]
    return x86_64::is_v3(&x86_64::ask());
    #[cfg(not(all(target_arch = "x86_64", target_feature = "avx2")))]
    return true;
}

// Not `is_x86_feature_detected!`: it takes for granted what the compiler was told to use.
#[cfg(all(target_arch = "x86_64", any(test, target_feature = "avx2")))]
mod x86_64 {
    use core::arch::x86_64::{__cpuid, __cpuid_count};

    /// What CPUID answers: ECX of leaf 1, ECX of leaf 0x8000_0001, EBX of leaf 7.
    pub(super) type Answers = [u32; 3];

    /// The bits of x86-64-v3 (System V ABI, AMD64 supplement, 3.1.1): FMA, MOVBE, OSXSAVE, AVX and F16C; LZCNT; BMI1, AVX2 and BMI2.
    pub(super) const V3: Answers = [1 << 12 | 1 << 22 | 1 << 27 | 1 << 28 | 1 << 29, 1 << 5, 1 << 3 | 1 << 5 | 1 << 8];

    pub(super) fn ask() -> Answers {
        // Above the last leaf, processors answer what that one has.
        let seventh = if __cpuid(0).eax < 7 { 0 } else { __cpuid_count(7, 0).ebx };
        [__cpuid(1).ecx, __cpuid(0x8000_0001).ecx, seventh]
    }

    pub(super) const fn is_v3(found: &Answers) -> bool {
        found[0] & V3[0] == V3[0] && found[1] & V3[1] == V3[1] && found[2] & V3[2] == V3[2]
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::{is_enough, x86_64};

    #[test]
    fn whoever_runs_this_has_what_it_was_compiled_for() {
        assert!(is_enough());
    }

    #[test]
    fn each_bit_counts() {
        assert!(x86_64::is_v3(&x86_64::V3) && x86_64::is_v3(&[u32::MAX; 3]));
        for (at, bit) in (0..3).flat_map(|at| (0..32).map(move |bit| (at, bit))) {
            let mut found = [u32::MAX; 3];
            found[at] ^= 1 << bit;
            assert_eq!(x86_64::is_v3(&found), x86_64::V3[at] >> bit & 1 == 0, "{at} {bit}");
        }
        // The standard library asks too, where the compiler does not know.
        let has = |name: bool, at: usize, bit: u32| assert_eq!(x86_64::ask()[at] >> bit & 1 == 1, name);
        has(std::arch::is_x86_feature_detected!("avx2"), 2, 5);
        has(std::arch::is_x86_feature_detected!("bmi2"), 2, 8);
        has(std::arch::is_x86_feature_detected!("fma"), 0, 12);
        has(std::arch::is_x86_feature_detected!("lzcnt"), 1, 5);
    }
}
