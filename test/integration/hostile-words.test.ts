import { testFamilies } from '../support/hostile/family-tests.ts'

testFamilies(['results', 'channel', 'floods'])
