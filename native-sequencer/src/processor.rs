//! Whether the processor has the instructions that the binary was compiled to use.
//!
//! `npm run build` compiles for x86-64-v3 where the machine at hand is one. A binary that is then taken to an older one would end
//! in an illegal instruction, which says nothing.

/// The names of the instruction sets of x86-64-v3 that this processor lacks, if the binary uses them (System V ABI, AMD64
/// supplement, 3.1.1).
pub(crate) fn missing() -> Vec<&'static str> {
    #[cfg(all(target_arch = "x86_64", target_feature = "avx2"))]
    return x86_64::missing(&x86_64::registers());
    #[cfg(not(all(target_arch = "x86_64", target_feature = "avx2")))]
    return Vec::new();
}

// Not `is_x86_feature_detected!`: it takes for granted what the compiler was told to use.
#[cfg(all(target_arch = "x86_64", any(test, target_feature = "avx2")))]
mod x86_64 {
    use core::arch::x86_64::{__cpuid, __cpuid_count};

    /// What CPUID answers: ECX of leaf 1, ECX of leaf 0x8000_0001, EBX of leaf 7.
    pub(super) type Registers = [u32; 3];

    /// Which of these registers tells of a set, in which bit, and its name.
    pub(super) const V3: [(usize, u32, &str); 9] = [
        (0, 12, "FMA"),
        (0, 22, "MOVBE"),
        (0, 27, "OSXSAVE"),
        (0, 28, "AVX"),
        (0, 29, "F16C"),
        (1, 5, "LZCNT"),
        (2, 3, "BMI1"),
        (2, 5, "AVX2"),
        (2, 8, "BMI2"),
    ];

    pub(super) fn registers() -> Registers {
        // Above the last leaf, processors answer what that one has.
        let seventh = if __cpuid(0).eax < 7 { 0 } else { __cpuid_count(7, 0).ebx };
        [__cpuid(1).ecx, __cpuid(0x8000_0001).ecx, seventh]
    }

    pub(super) fn missing(registers: &Registers) -> Vec<&'static str> {
        let lacks = |(at, bit, _): &&(usize, u32, _)| registers[*at] >> bit & 1 == 0;
        V3.iter().filter(lacks).map(|(.., name)| *name).collect()
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::{missing, x86_64};

    #[test]
    fn whoever_runs_this_has_what_it_was_compiled_for() {
        assert_eq!(missing(), [""; 0]);
    }

    #[test]
    fn each_set_is_told_by_its_bit() {
        assert_eq!(x86_64::missing(&[u32::MAX; 3]), [""; 0]);
        assert_eq!(x86_64::missing(&[0; 3]).len(), x86_64::V3.len());
        for (at, bit, name) in x86_64::V3 {
            let mut registers = [u32::MAX; 3];
            registers[at] ^= 1 << bit;
            assert_eq!(x86_64::missing(&registers), [name]);
        }
        // The standard library asks too, where the compiler does not know.
        let has = |name| !x86_64::missing(&x86_64::registers()).contains(&name);
        assert_eq!(has("AVX2"), std::arch::is_x86_feature_detected!("avx2"));
        assert_eq!(has("BMI2"), std::arch::is_x86_feature_detected!("bmi2"));
    }
}
