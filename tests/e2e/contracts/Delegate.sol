// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

/// What an account can have itself be run by (EIP-7702): several calls in one transaction.
contract Delegate {
    struct Call {
        address to;
        uint256 value;
        bytes data;
    }

    event Executed(address indexed account, address indexed caller, uint256 count, uint256 times);
    event Received(uint256 value);

    uint256 public times;

    receive() external payable {
        emit Received(msg.value);
    }

    function execute(Call[] calldata calls) external payable {
        require(msg.sender == address(this), "not the account itself");
        times++;
        for (uint256 at = 0; at < calls.length; at++) {
            (bool success,) = calls[at].to.call{value: calls[at].value}(calls[at].data);
            require(success, "a call failed");
        }
        emit Executed(address(this), msg.sender, calls.length, times);
    }
}
