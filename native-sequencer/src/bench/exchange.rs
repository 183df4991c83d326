//! Uniswap V2 as it was published: a factory, a router and a hundred pairs over a handful of tokens.
//!
//! The bytecode is read from its npm packages. They are under another licence than Ocelli, so the binary does not hold it.

use super::{BenchError, token::Token};
use alloy_primitives::{Address, Bytes, U256, hex, keccak256};
use std::path::Path;

/// Pairs of the usual exchange.
pub const PAIRS: usize = 100;
/// Tokens, of which any two are a pair until there are enough.
const TOKENS: usize = 15;
/// What a pair has of each of its tokens in the beginning.
const LIQUIDITY: u128 = 1 << 90;
/// Gas that one of the transactions that set it up may use: they create contracts.
pub const SETUP_GAS: u64 = 8_000_000;

/// `addLiquidity(address,address,uint256,uint256,uint256,uint256,address,uint256)`.
const ADD_LIQUIDITY: [u8; 4] = [0xe8, 0xe3, 0x37, 0x00];
/// `swapExactTokensForTokens(uint256,uint256,address[],address,uint256)`.
const SWAP: [u8; 4] = [0x38, 0xed, 0x17, 0x39];

/// An exchange: where it will be once it is set up, and what that takes.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Where swaps are sent.
    pub router: Address,
    /// Whoever sets it up, with a nonce of zero.
    deployer: Address,
    /// For each pair, the indexes of its tokens.
    pairs: Vec<(usize, usize)>,
    /// What creates the factory, wrapped ether and the router, with arguments.
    creations: [Bytes; 3],
}

fn token_address(index: usize) -> Address {
    Address::from_slice(&keccak256([b"token".as_slice(), &index.to_be_bytes()].concat())[12..])
}

/// The words of an ABI encoding, one after the other.
fn words<const N: usize>(words: [U256; N]) -> Vec<u8> {
    words.iter().flat_map(U256::to_be_bytes::<32>).collect()
}

fn word(address: Address) -> U256 {
    U256::from_be_slice(address.as_slice())
}

impl Exchange {
    /// The exchange of so many pairs that `deployer` sets up, of the bytecode under `packages`, the folder `@uniswap` of npm's
    /// packages.
    ///
    /// # Errors
    /// [`BenchError::Contracts`] if a contract is not there.
    pub fn new(packages: &Path, pairs: usize, deployer: Address) -> Result<Self, BenchError> {
        let (factory, weth, router) = (deployer.create(0), deployer.create(1), deployer.create(2));
        let code = |file: &str| bytecode(&packages.join(file));
        let with = |mut code: Vec<u8>, arguments: Vec<u8>| {
            code.extend(arguments);
            Bytes::from(code)
        };
        let creations = [
            with(code("v2-core/build/UniswapV2Factory.json")?, words([word(deployer)])),
            with(code("v2-periphery/build/WETH9.json")?, Vec::new()),
            with(code("v2-periphery/build/UniswapV2Router02.json")?, words([word(factory), word(weth)])),
        ];
        let pairs = (0..TOKENS).flat_map(|one| (0..one).map(move |other| (one, other))).take(pairs).collect();
        Ok(Self { router, deployer, pairs, creations })
    }

    /// The tokens in the first state, which `traders`, each of the pair that its index falls to, and the deployer have.
    pub fn tokens(&self, traders: impl Iterator<Item = Address>) -> Vec<(Address, Token)> {
        let mut tokens = vec![Token::default(); TOKENS];
        let mut give = |token: usize, holder: Address| {
            tokens[token].hold(holder);
            tokens[token].allow(holder, self.router);
        };
        (0..TOKENS).for_each(|token| give(token, self.deployer));
        for (index, trader) in traders.enumerate() {
            let (one, other) = self.pairs[index % self.pairs.len()];
            give(one, trader);
            give(other, trader);
        }
        tokens.into_iter().enumerate().map(|(index, token)| (token_address(index), token)).collect()
    }

    /// The calls that set it up, in order: whom to call (nobody: a creation), and with what.
    pub fn setup(&self) -> Vec<(Option<Address>, Bytes)> {
        let creations = self.creations.iter().map(|code| (None, code.clone()));
        let liquidity = self.pairs.iter().map(|(one, other)| {
            let (one, other) = (word(token_address(*one)), word(token_address(*other)));
            let amount = U256::from(LIQUIDITY);
            let arguments = words([one, other, amount, amount, U256::ZERO, U256::ZERO, word(self.deployer), U256::MAX]);
            (Some(self.router), [&ADD_LIQUIDITY[..], &arguments].concat().into())
        });
        creations.chain(liquidity).collect()
    }

    /// Calldata of a swap of `amount` by the trader with this index, there or back.
    pub fn swap(&self, index: usize, trader: Address, amount: u64, back: bool) -> Bytes {
        let (one, other) = self.pairs[index % self.pairs.len()];
        let (from, to) = if back { (other, one) } else { (one, other) };
        let path = U256::from(5 * 32);
        let arguments = words([
            U256::from(amount),
            U256::ZERO,
            path,
            word(trader),
            U256::MAX,
            U256::from(2),
            word(token_address(from)),
            word(token_address(to)),
        ]);
        [&SWAP[..], &arguments].concat().into()
    }
}

/// What creates the contract that a build file describes.
fn bytecode(file: &Path) -> Result<Vec<u8>, BenchError> {
    let missing = || BenchError::Contracts { path: file.to_owned() };
    let text = std::fs::read(file).map_err(|_| missing())?;
    let build: serde_json::Value = serde_json::from_slice(&text).map_err(|_| missing())?;
    let code = build.pointer("/evm/bytecode/object").or_else(|| build.get("bytecode"));
    hex::decode(code.and_then(serde_json::Value::as_str).unwrap_or_default()).map_err(|_| missing())
}
