"""Describe an account as the script of `atoll import --commands` does, with boto3 in the place of the AWS CLI."""

import json

from atoll.twin.commands import ATTRIBUTES, COMMANDS

VERBS = {"describe_vpc_attribute": "VpcId", "get_managed_prefix_list_entries": "PrefixListId"}


def describe(clients):
    """Return the files of a recording: name -> content; `clients(service)` gives a client of the account."""
    files = {}
    for command in COMMANDS:
        client, method = clients(command.service), command.verb.replace("-", "_")
        if command.verb == "describe-vpc-attribute":
            for vpc in client.describe_vpcs()["Vpcs"]:
                for name in ATTRIBUTES.values():
                    said = client.describe_vpc_attribute(VpcId=vpc["VpcId"], Attribute=name)
                    files[f"{command.verb}-{vpc['VpcId']}-{name}.json"] = said
        elif command.each:
            for listed in client.describe_managed_prefix_lists()["PrefixLists"]:
                id = listed["PrefixListId"]
                files[f"{command.verb}-{id}.json"] = client.get_managed_prefix_list_entries(PrefixListId=id)
        else:
            more = {"ShowCacheNodeInfo": True} if command.options else {}
            files[f"{command.verb}.json"] = getattr(client, method)(**more)
    for said in files.values():
        del said["ResponseMetadata"]
    return {name: json.dumps(said, default=str).encode() for name, said in files.items()}
