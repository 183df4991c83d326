// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

/// Code that gives itself up, for Machine to create.
contract Mortal {
    constructor() payable {}

    function end(address payable heir) external {
        selfdestruct(heir);
    }
}

/// Uses the machine's parts that ordinary contracts do not: what it did is in its logs and in the gas used.
contract Machine {
    event Answer(bool success, bytes output);
    event Word(uint256 word);
    event Surroundings(
        uint256 coinbase,
        uint256 coinbaseBalance,
        uint256 timestamp,
        uint256 number,
        uint256 prevrandao,
        uint256 gasLimit,
        uint256 chainId,
        uint256 baseFee,
        uint256 blobBaseFee,
        uint256 gasPrice
    );
    event BlockHash(uint256 indexed number, bytes32 hash);

    error Refused(uint256 code, string why);

    mapping(uint256 => uint256) public slots;

    constructor() payable {}

    receive() external payable {}

    /// Calls a precompiled contract, or anything else.
    function ask(address whom, bytes calldata input) external {
        (bool success, bytes memory output) = whom.call(input);
        emit Answer(success, output);
    }

    function surroundings() external {
        emit Surroundings(
            uint256(uint160(address(block.coinbase))),
            block.coinbase.balance,
            block.timestamp,
            block.number,
            block.prevrandao,
            block.gaslimit,
            block.chainid,
            block.basefee,
            block.blobbasefee,
            tx.gasprice
        );
    }

    /// The hashes of the last blocks: this one, which has none yet, the parent's, and those before.
    function blockHashes(uint256 count) external {
        for (uint256 back = 0; back < count && back <= block.number; back++) {
            emit BlockHash(back, blockhash(block.number - back));
        }
    }

    /// A log of each number of topics.
    function log(uint256 word) external {
        assembly {
            mstore(0, word)
            log0(0, 32)
            log1(0, 32, 1)
            log2(0, 31, 1, 2)
            log3(0, 1, 1, 2, 3)
            log4(0, 0, 1, 2, 3, word)
        }
    }

    function fill(uint256 from, uint256 to, uint256 word) external {
        for (uint256 slot = from; slot < to; slot++) {
            slots[slot] = word + slot;
        }
    }

    /// Gives back gas: more than a fifth of what is used, which is the most that is paid (EIP-3529).
    function clear(uint256 from, uint256 to) external {
        for (uint256 slot = from; slot < to; slot++) {
            slots[slot] = 0;
        }
    }

    /// Writes a slot and writes it back (EIP-2200).
    function restore(uint256 slot) external {
        uint256 before = slots[slot];
        slots[slot] = before + 1;
        slots[slot] = before;
    }

    /// Storage that lasts for one transaction (EIP-1153), memory copied onto itself (EIP-5656), leading zeros (EIP-7939).
    function recent(uint256 word) external {
        uint256 kept;
        uint256 copied;
        uint256 zeros;
        assembly {
            tstore(7, word)
            kept := tload(7)
            mstore(0, word)
            mcopy(1, 0, 32)
            copied := mload(1)
            zeros := clz(word)
        }
        emit Word(kept);
        emit Word(copied);
        emit Word(zeros);
    }

    /// Whether transient storage was forgotten.
    function forgotten() external {
        uint256 kept;
        assembly {
            kept := tload(7)
        }
        emit Word(kept);
    }

    /// A contract at an address that depends on what it is, which ends in the transaction that made it (EIP-6780) or not.
    function create(bytes32 salt, bool atOnce) external payable returns (Mortal mortal) {
        mortal = new Mortal{salt: salt, value: msg.value}();
        emit Word(uint256(uint160(address(mortal))));
        if (atOnce) mortal.end(payable(address(this)));
    }

    function end(Mortal mortal, address payable heir) external {
        mortal.end(heir);
        emit Word(address(mortal).code.length);
        emit Word(address(mortal).balance);
    }

    /// Makes a call that reverts, and goes on.
    function survive(uint256 code) external {
        slots[1_000] = code;
        try this.refuse(code) {}
        catch (bytes memory output) {
            emit Answer(false, output);
        }
    }

    function refuse(uint256 code) external {
        slots[1_001] = code;
        emit Word(code);
        revert Refused(code, "as asked");
    }

    function require_(bool holds) external pure {
        require(holds, "it does not hold");
    }

    function panic(uint256 divisor) external pure returns (uint256) {
        return 1 / divisor;
    }

    function invalid() external pure {
        assembly {
            invalid()
        }
    }

    function revertWithNothing() external pure {
        assembly {
            revert(0, 0)
        }
    }

    function spin() external pure {
        assembly {
            for {} 1 {} {}
        }
    }

    /// As deep as gas allows (EIP-150).
    function deep(uint256 levels) external returns (uint256 reached) {
        if (levels == 0) return 0;
        try this.deep(levels - 1) returns (uint256 below) {
            return below + 1;
        } catch {
            return 0;
        }
    }
}
