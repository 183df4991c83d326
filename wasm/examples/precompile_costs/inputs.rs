//! Inputs of precompiles: those that take longest for their gas, as far as they are known, and ordinary ones.

use alloy_primitives::{B256, hex};
use ocelli_core::{evm::work::PRECOMPILES, signature::SecretKey};

/// An input of the precompile at `place` in the work table.
pub(crate) struct Input {
    pub(crate) place: usize,
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

impl Input {
    /// Where the precompile is called.
    pub(crate) fn address(&self) -> u16 {
        if self.place == PRECOMPILES - 1 { 0x100 } else { self.place as u16 + 1 }
    }
}

/// The generators of BN254: (1, 2), and Ethereum's encoding of the one of G2 (EIP-197).
const BN_G1: [u8; 64] = hex!(
    "0000000000000000000000000000000000000000000000000000000000000001"
    "0000000000000000000000000000000000000000000000000000000000000002"
);
const BN_G2: [u8; 128] = hex!(
    "198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2"
    "1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed"
    "090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b"
    "12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa"
);
/// The generators of BLS12-381, each coordinate filled up to 64 bytes (EIP-2537).
const BLS_G1: [u8; 128] = hex!(
    "0000000000000000000000000000000017f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb"
    "0000000000000000000000000000000008b3f481e3aaa0f1a09e30ed741d8ae4fcf5e095d5d00af600db18cb2c04b3edd03cc744a2888ae40caa232946c5e7e1"
);
const BLS_G2: [u8; 256] = hex!(
    "00000000000000000000000000000000024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8"
    "0000000000000000000000000000000013e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e"
    "000000000000000000000000000000000ce5d527727d6e118cc9cdc6da2e351aadfd9baa8cbdd3a76d429a695160d12c923ac9cc3baca289e193548608b82801"
    "000000000000000000000000000000000606c4a02ea734cc32acd2b02bc28b99cb3e287e85a763af267492ab572e99ab3f370d275cec1da1aaa9075ff05f79be"
);
/// A correct proof of one point of a blob's polynomial (c-kzg-4844, `verify_kzg_proof_case_correct_proof_4_4`), behind the
/// versioned hash of its commitment.
const KZG: [u8; 192] = hex!(
    "01e798154708fe7789429634053cbf9f99b619f9f084048927333fce637f549b"
    "73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000000"
    "1522a4a7f34e1ea350ae07c29c96c7e79655aa926122e95fe69fcbd932ca49e9"
    "8f59a8d2a1a625a17f3fea0fe5eb8c896db3764f3185481bc22f91b4aaffcca25f26936857bc3a7c2539ea8ec3a952b7"
    "a62ad71d14c5719385c0686f1871430475bf3a00f0aa3f7b8dd99a9abc2160744faf0070725e00b60ad9a026a15b1a8c"
);
/// A valid signature over P-256: hash, r, s, x, y.
const P256: [u8; 160] = hex!(
    "4cee90eb86eaa050036147a12d49004b6b9c72bd725d39d4785011fe190f0b4d"
    "a73bd4903f0ce3b639bbbf6e8e80d16931ff4bcf5993d58468e8fb19086e8cac"
    "36dbcd03009df8c59286b162af3bd7fcc0450c9aa81be5d10d312af6c66b1d60"
    "4aebd3099c618202fcfe16ae7770b0c49ab5eadf74b754204a3bb6060e44eff3"
    "7618b065f9832de4ca6ca971a7a1adc826d0f7c00181a5fb2ddf79ae00b4e10e"
);

/// All of them, by place.
pub(crate) fn all() -> Vec<Input> {
    let mut all = Vec::new();
    let mut add = |place, name: &str, bytes: Vec<u8>| all.push(Input { place, name: name.into(), bytes });
    add(0, "ecrecover", ecrecover());
    for length in [0, 64, 4096] {
        add(1, &format!("sha256 of {length} bytes"), vec![0xa5; length]);
        add(2, &format!("ripemd160 of {length} bytes"), vec![0xa5; length]);
        add(3, &format!("identity of {length} bytes"), vec![0xa5; length]);
    }
    for length in [1, 8, 32, 40, 64, 128, 192, 256, 512, 1024] {
        for (of, exponent) in [("3", vec![3]), ("2^16 + 1", vec![1, 0, 1]), ("2^256 - 1", vec![0xff; 32])] {
            for (kind, last) in [("odd", 0xff), ("even", 0xfe)] {
                let name = format!("modexp, {length} bytes, {kind}, to the {of}");
                add(4, &name, modexp(length, &exponent, last));
            }
        }
    }
    let scalar = [0x1f; 32];
    add(5, "bn254 add", [BN_G1, BN_G1].concat());
    add(6, "bn254 mul", [&BN_G1[..], &scalar].concat());
    for pairs in [0, 1, 2, 8] {
        add(7, &format!("bn254 pairing of {pairs}"), [&BN_G1[..], &BN_G2].concat().repeat(pairs));
    }
    for rounds in [12, 1_000, 100_000_u32] {
        let mut bytes = vec![0xa5; 213];
        bytes[..4].copy_from_slice(&rounds.to_be_bytes());
        bytes[212] = 1;
        add(8, &format!("blake2f, {rounds} rounds"), bytes);
    }
    add(9, "point evaluation", KZG.to_vec());
    add(10, "bls12-381 g1 add", [BLS_G1, BLS_G1].concat());
    add(12, "bls12-381 g2 add", [BLS_G2, BLS_G2].concat());
    for points in [1, 2, 16, 128] {
        add(11, &format!("bls12-381 g1 msm of {points}"), [&BLS_G1[..], &scalar].concat().repeat(points));
        add(13, &format!("bls12-381 g2 msm of {points}"), [&BLS_G2[..], &scalar].concat().repeat(points));
    }
    for pairs in [1, 2, 8] {
        add(14, &format!("bls12-381 pairing of {pairs}"), [&BLS_G1[..], &BLS_G2].concat().repeat(pairs));
    }
    add(15, "bls12-381 map to g1", [vec![0; 16], vec![7; 48]].concat());
    add(16, "bls12-381 map to g2", [vec![0; 16], vec![7; 48]].concat().repeat(2));
    add(17, "p256 verify", P256.to_vec());
    all
}

fn ecrecover() -> Vec<u8> {
    let hash = B256::repeat_byte(0x5a);
    let signature = SecretKey::from_bytes(&[7; 32]).expect("a key").sign(&hash);
    let mut v = B256::ZERO;
    v[31] = 27 + u8::from(signature.y_odd());
    [hash, v, signature.r(), signature.s()].concat()
}

/// Base and modulus of `length` bytes; the modulus ends in `last`.
fn modexp(length: usize, exponent: &[u8], last: u8) -> Vec<u8> {
    let word = |number: usize| {
        let mut word = [0; 32];
        word[24..].copy_from_slice(&(number as u64).to_be_bytes());
        word
    };
    let mut modulus = vec![0xf7; length];
    modulus[length - 1] = last;
    [&word(length)[..], &word(exponent.len()), &word(length), &vec![0xe3; length], exponent, &modulus].concat()
}
