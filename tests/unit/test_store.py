"""The table: the same stories on the fake of these tests and on moto's DynamoDB."""
